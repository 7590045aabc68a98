/* SPDX-License-Identifier: Apache-2.0 */
/* What is neither a right nor a call: which descriptors, how much of files, who may look. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/own.h"
#include "vmm/sandbox/layers.h"

extern char **environ;

/*
 * What whoever started us has left open, and no setting names: ours are all close-on-exec, and what
 * a setting names has been duplicated.
 */
static bool is_stray(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	return fd > STDERR_FILENO && flags >= 0 && (flags & FD_CLOEXEC) == 0;
}

/*
 * Disks do not grow, so nothing is written behind the end of the largest; but what is only appended
 * to, as logs are, and what others gave us may.
 */
static void look_at(struct open_files *o, int fd, bool close_strays)
{
	int flags = fcntl(fd, F_GETFL);
	struct stat st;

	if (flags < 0 || fstat(fd, &st) < 0)
		return;
	if (close_strays && is_stray(fd)) {
		(void)close(fd);
		return;
	}
	o->next = MAX(o->next, fd + 1);
	/* A way back to the old root, unless it is held on purpose: one that was given as stdin,
	 * say. */
	if (S_ISDIR(st.st_mode) && (fd <= STDERR_FILENO || (flags & O_PATH) == 0))
		(void)dup3(o->nothing, fd, O_CLOEXEC);
	if ((flags & O_ACCMODE) == O_RDONLY || (flags & O_PATH) != 0 || !S_ISREG(st.st_mode))
		return;
	if (fd <= STDERR_FILENO || (flags & O_APPEND) != 0)
		o->largest = RLIM_INFINITY;
	else
		o->largest = MAX(o->largest, (rlim_t)st.st_size);
}

static void look_at_all(struct sandbox *s, bool close_strays)
{
	DIR *folder = opendir("/proc/self/fd");
	struct dirent *entry;
	struct rlimit limit;

	if (folder == NULL) {
		if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
			return;
		for (int fd = 0; fd < (int)MIN(limit.rlim_cur, 65536U); fd++)
			if (fd != s->namespaces_fd)
				look_at(&s->open_files, fd, close_strays);
		return;
	}
	while ((entry = readdir(folder)) != NULL) {
		int fd = (int)strtol(entry->d_name, NULL, 10);

		if (entry->d_name[0] != '.' && fd != dirfd(folder) && fd != s->namespaces_fd)
			look_at(&s->open_files, fd, close_strays);
	}
	(void)closedir(folder);
}

void limits_measure(struct sandbox *s)
{
	s->open_files.nothing = epoll_create1(EPOLL_CLOEXEC);
	look_at_all(s, sandbox_wants(s, SANDBOX_LIMITS));
	fd_close(&s->open_files.nothing);
}

static bool set_limits(int which, rlim_t soft, rlim_t hard)
{
	struct rlimit limit = {soft, hard}, has;

	return setrlimit((__rlimit_resource_t)which, &limit) == 0 &&
	       getrlimit((__rlimit_resource_t)which, &has) == 0 && has.rlim_cur == soft &&
	       has.rlim_max == hard;
}

static bool set_limit(int which, rlim_t value)
{
	return set_limits(which, value, value);
}

/* None below what will be needed is free, so there are no others to be had. */
static bool limit_descriptors(const struct sandbox *s)
{
	rlim_t used = (rlim_t)s->open_files.next, most = used + s->reserve;

	if (!set_limits(RLIMIT_NOFILE, used, most))
		return false;
	while (epoll_create1(EPOLL_CLOEXEC) >= 0)
		;
	return set_limit(RLIMIT_NOFILE, most);
}

/* The strings themselves: the list of them is only where libc looks. */
static void forget_environment(void)
{
	for (char **variable = environ; variable != NULL && *variable != NULL; variable++)
		explicit_bzero(*variable, strlen(*variable));
	(void)clearenv();
}

void limits_enter(struct sandbox *s)
{
	/* A disk that takes the place of another may be larger, and so may a snapshot. */
	rlim_t largest = s->nlive > 0 ? RLIM_INFINITY : s->open_files.largest;
	struct rlimit files;

	if (getrlimit(RLIMIT_FSIZE, &files) < 0 || !limit_descriptors(s) ||
	    !set_limit(RLIMIT_CORE, 0) || !set_limit(RLIMIT_MEMLOCK, 0) ||
	    !set_limit(RLIMIT_FSIZE, MIN(largest, files.rlim_max)))
		sandbox_refused(s, PART_LIMITS);
	else
		s->parts |= PART(LIMITS);
	forget_environment();
	s->parts |= PART(ENVIRONMENT);
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		sandbox_refused(s, PART_UNDUMPABLE);
	else if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0)
		s->parts |= PART(UNDUMPABLE);
}
