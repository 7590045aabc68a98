/* SPDX-License-Identifier: Apache-2.0 */
#include "stellarium/store/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/own.h"

int file_pwrite(int fd, const char *name, const void *bytes, size_t len, uint64_t offset,
		struct verr *e)
{
	const uint8_t *at = bytes;

	while (len > 0) {
		ssize_t n = pwrite(fd, at, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return verr_os(e, "write %s", name);
		at += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int file_pread(int fd, const char *name, void *out, size_t len, uint64_t offset, size_t *got,
	       struct verr *e)
{
	uint8_t *at = out;

	*got = 0;
	while (*got < len) {
		ssize_t n = pread(fd, at + *got, len - *got, (off_t)(offset + *got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return verr_os(e, "read %s", name);
		if (n == 0)
			break;
		*got += (size_t)n;
	}
	return 0;
}

int file_sync(int fd, const char *name, struct verr *e)
{
	return fsync(fd) < 0 ? verr_os(e, "make %s durable", name) : 0;
}

int file_replace(int folder, const char *name, const void *bytes, size_t len, struct verr *e)
{
	char beside[256];
	auto_fd fd = -1;

	(void)snprintf(beside, sizeof(beside), "%s.new", name);
	fd = openat(folder, beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0)
		return verr_os(e, "make %s", beside);
	if (file_pwrite(fd, beside, bytes, len, 0, e) < 0 || file_sync(fd, beside, e) < 0)
		return -1;
	if (renameat(folder, beside, folder, name) < 0)
		return verr_os(e, "rename %s", beside);
	return file_sync(folder, name, e);
}

int file_open_folder(int folder, const char *name, struct verr *e)
{
	int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? verr_os(e, "open %s", name) : fd;
}

int file_random(uint64_t *out, struct verr *e)
{
	do {
		if (getrandom(out, sizeof(*out), 0) != (ssize_t)sizeof(*out))
			return verr_os(e, "random numbers");
	} while (*out == 0);
	return 0;
}

enum file_lock file_lock(int fd, const char *name, int operation, struct verr *e)
{
	if (flock(fd, operation) < 0) {
		if (errno == EWOULDBLOCK)
			return FILE_BUSY;
		/* A wait ends when the user wants an end: the caller looks whether that is so. */
		(void)verr_os(e, "lock %s", name);
		return FILE_FAULT;
	}
	return FILE_LOCKED;
}
