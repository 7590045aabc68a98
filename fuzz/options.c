/* SPDX-License-Identifier: Apache-2.0 */
/* Undefined behaviour ends a run as a bad access does: by default it is only printed. */

const char *__ubsan_default_options(void);

const char *__ubsan_default_options(void)
{
	return "halt_on_error=1:print_stacktrace=1";
}
