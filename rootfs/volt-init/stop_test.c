/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/stop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>

static void mask_of_ignored_signals_is_found(void **state)
{
	static const char shell[] = "Name:\tsh\nSigBlk:\t0000000000000000\n"
				    "SigIgn:\t0000000000384004\nSigCgt:\tffffffffffffffff\n";

	(void)state;
	assert_true(stop_is_ignored(shell, SIGTERM));
	assert_true(stop_is_ignored(shell, SIGQUIT));
	assert_false(stop_is_ignored(shell, SIGHUP));
	assert_false(stop_is_ignored(shell, SIGUSR1));
}

static void what_is_not_there_is_not_ignored(void **state)
{
	(void)state;
	assert_false(stop_is_ignored("", SIGTERM));
	assert_false(stop_is_ignored("SigIgn:\tffffffffffffffff\n", SIGTERM));
	assert_false(stop_is_ignored("Name:\tx\nSigIgn:\t", SIGTERM));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mask_of_ignored_signals_is_found),
		cmocka_unit_test(what_is_not_there_is_not_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
