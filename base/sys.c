/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/major.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/own.h"

#define PTMX_MINOR 2 /* of TTYAUX_MAJOR */

/* Opening it again gives the same object, and not a socket's error or another pseudo-terminal. */
static bool can_reopen(const struct stat *st)
{
	if (S_ISREG(st->st_mode) || S_ISSOCK(st->st_mode))
		return false;
	return !S_ISCHR(st->st_mode) || st->st_rdev != makedev(TTYAUX_MAJOR, PTMX_MINOR);
}

const char *sys_temporary_folder(void)
{
	const char *folder = getenv("TMPDIR");

	if (folder != NULL && *folder != '\0')
		return folder;
	return access("/var/tmp", F_OK) == 0 || errno != ENOENT ? "/var/tmp" : ".";
}

bool sys_is_terminal(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) || major(st.st_rdev) == MEM_MAJOR)
		return false;
	return isatty(fd);
}

int sys_nonblocking(int fd, int access, struct verr *e)
{
	char path[32];
	struct stat st;
	int copy, flags;

	if (fstat(fd, &st) < 0)
		return verr_os(e, "descriptor %d", fd);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (can_reopen(&st)) {
		copy = open(path, access | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
		if (copy >= 0)
			return copy;
	}
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0)
		return verr_os(e, "duplicate descriptor %d", fd);
	flags = fcntl(copy, F_GETFL);
	if (!S_ISREG(st.st_mode) && flags >= 0)
		(void)fcntl(copy, F_SETFL, flags | O_NONBLOCK);
	return copy;
}

/* The folder of a path, opened; `*name` is what is left of it. */
static int open_folder_of(const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX];

	*name = slash != NULL ? slash + 1 : path;
	if (slash != NULL && (size_t)(slash - path) + 2 > sizeof(folder)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (slash == NULL)
		(void)snprintf(folder, sizeof(folder), ".");
	else
		(void)snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path) + 1, path);
	return open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* Can nobody but root and this user have put into the folder what is there? */
static bool is_trusted(int folder)
{
	struct stat st;

	return fstat(folder, &st) == 0 && (st.st_uid == 0 || st.st_uid == geteuid()) &&
	       (st.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

int sys_open_output(const char *path, struct verr *e)
{
	const char *name;
	auto_fd folder = open_folder_of(path, &name), fd = -1;
	int flags = O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
	bool trusted = folder >= 0 && is_trusted(folder);
	struct stat st;

	if (folder < 0)
		return verr_invalid_os(e, "cannot write to %s", path);
	/* A FIFO opened only for writing fails without a reader; read-write it never does. */
	if (fstatat(folder, name, &st, trusted ? 0 : AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISFIFO(st.st_mode))
		flags |= O_RDWR;
	else
		flags |= O_WRONLY | O_CREAT;
	fd = openat(folder, name, trusted ? flags : flags | O_NOFOLLOW, 0600);
	if (fd < 0 && errno == ELOOP && !trusted)
		return verr_invalid(e,
				    "%s is a symbolic link in a folder that others can write to; "
				    "expected the file itself",
				    path);
	if (fd < 0)
		return verr_invalid_os(e, "cannot write to %s", path);
	if (!trusted && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink > 1)
		return verr_invalid(e,
				    "%s has another name, and is in a folder that others can write "
				    "to; expected a file of its own",
				    path);
	return fd_take(&fd);
}

int sys_open_input(const char *path, uint64_t *size, struct verr *e)
{
	struct stat st;
	auto_fd fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return verr_invalid_os(e, "cannot read %s", path);
	if (fstat(fd, &st) < 0)
		return verr_os(e, "stat %s", path);
	if (!S_ISREG(st.st_mode))
		return verr_invalid(e, "%s is not a regular file", path);
	*size = (uint64_t)st.st_size;
	return fd_take(&fd);
}

int sys_pread_full(int fd, void *out, uint64_t len, uint64_t offset, struct verr *e)
{
	uint8_t *to = out;

	while (len > 0) {
		ssize_t n = pread(fd, to, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return verr_os(e, "read at offset %llu", (unsigned long long)offset);
		if (n == 0)
			return verr_invalid(e, "ends at offset %llu, %llu bytes early",
					    (unsigned long long)offset, (unsigned long long)len);
		to += n;
		offset += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}

uint64_t sys_now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}
