/* SPDX-License-Identifier: Apache-2.0 */
#include "base/verr.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int verr_raise(struct verr *e, enum verr_kind kind, int os, const char *file, int line,
	       const char *fmt, ...)
{
	va_list ap;
	size_t used;

	if (e->kind != VERR_NONE)
		return -1;
	e->kind = kind;
	e->os = os;
	e->file = file;
	e->line = line;
	va_start(ap, fmt);
	(void)vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	if (os != 0) {
		used = strlen(e->text);
		(void)snprintf(e->text + used, sizeof(e->text) - used, ": %s", strerror(os));
	}
	return -1;
}

int verr_note(struct verr *e, const char *fmt, ...)
{
	char text[VERR_TEXT];
	va_list ap;
	size_t used;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	used = strlen(text);
	(void)snprintf(text + used, sizeof(text) - used, ": %s", e->text);
	memcpy(e->text, text, sizeof(text));
	return -1;
}

const char *verr_kind_name(enum verr_kind kind)
{
	static const char *const names[] = {
		[VERR_NONE] = "none",   [VERR_INVALID] = "invalid", [VERR_NOT_FOUND] = "not found",
		[VERR_STATE] = "state", [VERR_CORRUPT] = "corrupt", [VERR_HOST] = "host",
	};

	if ((size_t)kind >= ARRAY_LEN(names))
		return "unknown";
	return names[kind];
}
