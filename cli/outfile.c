/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/outfile.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"

#define COPY_BYTES KIB(128)

int outfile_write(int fd, const char *name, const void *bytes, size_t len, struct verr *e)
{
	const char *at = bytes;

	while (len > 0) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return verr_os(e, "write %s", name);
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

int outfile_copy(int from, const char *from_name, int to, const char *to_name, struct verr *e)
{
	auto_free char *buffer = malloc(COPY_BYTES);

	if (buffer == NULL)
		return verr_host(e, "out of memory");
	for (;;) {
		ssize_t n = read(from, buffer, COPY_BYTES);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return verr_os(e, "read %s", from_name);
		if (n == 0)
			return 0;
		if (outfile_write(to, to_name, buffer, (size_t)n, e) < 0)
			return -1;
	}
}

/* mkostemp() makes private files: give this one the mode that open() would have. */
static void set_usual_mode(int fd)
{
	mode_t mask = umask(0);

	(void)umask(mask);
	(void)fchmod(fd, 0666 & ~mask);
}

int outfile_open(struct outfile *f, const char *path, struct verr *e)
{
	struct stat st;

	*f = (struct outfile)OUTFILE_INIT;
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return verr_invalid(e, "%s is not a regular file: name another", path);
	if ((size_t)snprintf(f->temporary, sizeof(f->temporary), "%s.XXXXXX", path) >=
	    sizeof(f->temporary))
		return verr_invalid(e, "%.40s...: the name is too long", path);
	f->fd = mkostemp(f->temporary, O_CLOEXEC);
	if (f->fd < 0)
		return verr_invalid_os(e, "cannot write beside %s", path);
	set_usual_mode(f->fd);
	f->path = path;
	return 0;
}

int outfile_commit(struct outfile *f, struct verr *e)
{
	if (fsync(f->fd) < 0)
		return verr_os(e, "write %s", f->path);
	if (rename(f->temporary, f->path) < 0)
		return verr_os(e, "rename %s to %s", f->temporary, f->path);
	fd_close(&f->fd);
	return 0;
}

void outfile_deinit(struct outfile *f)
{
	if (f->fd >= 0)
		(void)unlink(f->temporary);
	fd_close(&f->fd);
}
