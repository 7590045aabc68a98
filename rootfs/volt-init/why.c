/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/why.h"

#include <stdarg.h>
#include <stdio.h>

int why_set(struct why *why, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(why->text, sizeof(why->text), format, args);
	va_end(args);
	return -1;
}

int why_note(struct why *why, const char *where)
{
	struct why inner = *why;

	/* What does not fit is cut: the beginning says where, and that is what helps. */
	int size = snprintf(why->text, sizeof(why->text), "%s: %.180s", where, inner.text);

	(void)size;
	return -1;
}
