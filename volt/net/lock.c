/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/net/lock.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/own.h"
#include "cli/interrupt.h"
#include "volt/net/record.h"

#define LOCK_FILE NET_RUN_FOLDER "/lock"

static int take_lock(struct verr *e)
{
	for (;;) {
		auto_fd fd = -1;
		struct stat st;

		if (mkdir(NET_RUN_FOLDER, 0755) < 0 && errno != EEXIST)
			return verr_os(e, "make the folder " NET_RUN_FOLDER);
		fd = open(LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0 && errno == ENOENT)
			continue; /* the folder has just gone */
		if (fd < 0 || flock(fd, LOCK_EX) < 0)
			return verr_os(e, "lock " LOCK_FILE);
		/* Whoever had it has removed it. */
		if (fstat(fd, &st) == 0 && st.st_nlink > 0)
			return fd_take(&fd);
	}
}

static void release_lock(int *lock)
{
	if (*lock >= 0) {
		(void)unlink(LOCK_FILE);
		(void)rmdir(NET_RUN_FOLDER);
	}
	fd_close(lock);
}

int net_change(const char *verb, bool dry, net_change_fn *fn, void *context, struct verr *e)
{
	int lock = -1, result;

	if (!dry && geteuid() != 0)
		return verr_invalid(
			e, "needs root's rights; run: sudo volt net %s, or give --dry-run", verb);
	interrupt_watch();
	if (!dry) {
		/* Who reads what we say may end before we do: "| head -1". */
		(void)signal(SIGPIPE, SIG_IGN);
		lock = take_lock(e);
		if (lock < 0)
			return -1;
	}
	result = fn(context, e);
	release_lock(&lock);
	interrupt_obey();
	return result;
}
