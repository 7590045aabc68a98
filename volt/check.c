/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/check.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"

void check_ok(struct finding *f, const char *what, ...)
{
	va_list ap;

	f->status = CHECK_OK;
	f->remedy[0] = '\0';
	va_start(ap, what);
	(void)vsnprintf(f->what, sizeof(f->what), what, ap);
	va_end(ap);
}

void check_limited(struct finding *f, const char *remedy, const char *what, ...)
{
	va_list ap;

	f->status = CHECK_LIMITED;
	(void)snprintf(f->remedy, sizeof(f->remedy), "%s", remedy);
	va_start(ap, what);
	(void)vsnprintf(f->what, sizeof(f->what), what, ap);
	va_end(ap);
}

void check_missing(struct finding *f, const char *remedy, const char *what, ...)
{
	va_list ap;

	f->status = CHECK_MISSING;
	(void)snprintf(f->remedy, sizeof(f->remedy), "%s", remedy);
	va_start(ap, what);
	(void)vsnprintf(f->what, sizeof(f->what), what, ap);
	va_end(ap);
}

bool check_read_file(const char *path, char *out, size_t size)
{
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t used = 0;

	if (fd < 0)
		return false;
	while (used < size - 1) {
		ssize_t n = read(fd, out + used, size - 1 - used);

		if (n < 0)
			return false;
		if (n == 0)
			break;
		used += (size_t)n;
	}
	out[used] = '\0';
	return true;
}
