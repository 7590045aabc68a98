/* SPDX-License-Identifier: Apache-2.0 */
#include "rootdisk/spool.h"

#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/own.h"
#include "cli/interrupt.h"
#include "cli/outfile.h"

#define COPY_BYTES KIB(64)

int spool_open(const char *beside, struct verr *e)
{
	char path[PATH_MAX];
	const char *slash = strrchr(beside, '/');
	int len = slash != NULL ? (int)(slash - beside) + 1 : 0, fd;

	if ((size_t)snprintf(path, sizeof(path), "%.*s.", len, beside) >= sizeof(path))
		return verr_invalid(e, "%.40s...: the name is too long", beside);
	fd = open(path, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	/* Some file systems have none such: a name for a moment. */
	if ((size_t)snprintf(path, sizeof(path), "%s.XXXXXX", beside) >= sizeof(path))
		return verr_invalid(e, "%.40s...: the name is too long", beside);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return verr_os(e, "make a temporary file beside %s", beside);
	(void)unlink(path);
	return fd;
}

static int copy(int from, int to, struct verr *e)
{
	char buffer[COPY_BYTES];

	for (;;) {
		ssize_t n;

		if (!interrupt_wait(from))
			return interrupt_check(e);
		n = read(from, buffer, sizeof(buffer));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return verr_invalid_os(e, "cannot read");
		if (n == 0)
			return 0;
		if (outfile_write(to, "a temporary file", buffer, (size_t)n, e) < 0)
			return -1;
	}
}

int spool_input(int in, const char *beside, int *out, struct verr *e)
{
	auto_fd from = in, to = -1;
	struct stat st;

	/* Standard input may stand anywhere in its file: what is before that is not ours. */
	if (fstat(from, &st) == 0 && S_ISREG(st.st_mode) && lseek(from, 0, SEEK_CUR) == 0) {
		*out = fd_take(&from);
		return 0;
	}
	to = spool_open(beside, e);
	if (to < 0 || copy(from, to, e) < 0)
		return -1;
	*out = fd_take(&to);
	return 0;
}
