/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/devices/net/keeper.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "base/netlink.h"
#include "base/own.h"
#include "vmm/devices/net/rtnl.h"

struct keeper {
	pid_t child;
	int held; /* the child reads its end when this one closes */
	int gone; /* and closes its own when it is done */
};

/* The child's descriptors. */
enum { CHILD_HELD, CHILD_GONE, CHILD_RTNL, CHILD_FIRST_OTHER };

/*
 * Only what is safe after a fork in a process with threads. It closes what it inherits: a disk's
 * lock, say, must not outlive this process. Signals to a terminal's group are not for it.
 */
static _Noreturn void keep(int held, int gone, int rtnl, unsigned index)
{
	int fds[CHILD_FIRST_OTHER] = {held, gone, rtnl};
	sigset_t all;
	char byte;

	(void)prctl(PR_SET_NAME, "volt-keeper");
	(void)setsid();
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	/* First beyond the places where they will be. */
	for (int i = 0; i < CHILD_FIRST_OTHER; i++)
		fds[i] = fcntl(fds[i], F_DUPFD, CHILD_FIRST_OTHER);
	for (int i = 0; i < CHILD_FIRST_OTHER; i++)
		if (fds[i] < 0 || dup2(fds[i], i) < 0)
			_exit(1);
	(void)close_range(CHILD_FIRST_OTHER, ~0U, 0);
	while (read(CHILD_HELD, &byte, sizeof(byte)) < 0 && errno == EINTR)
		;
	_exit(rtnl_delete(CHILD_RTNL, index) < 0);
}

static int start(struct keeper *k, unsigned index, struct verr *e)
{
	int held[2] = {-1, -1}, gone[2] = {-1, -1};
	auto_fd rtnl = netlink_open(NETLINK_ROUTE, e);

	if (rtnl < 0)
		return -1;
	if (pipe2(held, O_CLOEXEC) == 0 && pipe2(gone, O_CLOEXEC) == 0)
		k->child = fork();
	if (k->child == 0)
		keep(held[0], gone[1], rtnl, index);
	fd_close(&held[0]);
	fd_close(&gone[1]);
	k->held = held[1];
	k->gone = gone[0];
	return k->child < 0 ? verr_os(e, "start a process that removes what is made") : 0;
}

int keeper_new(unsigned index, struct keeper **out, struct verr *e)
{
	struct keeper *k = malloc(sizeof(*k));

	if (k == NULL)
		return verr_host(e, "out of memory");
	*k = (struct keeper){.child = -1, .held = -1, .gone = -1};
	if (start(k, index, e) < 0) {
		(void)keeper_free(k);
		return -1;
	}
	*out = k;
	return 0;
}

struct keeper *keeper_free(struct keeper *k)
{
	char byte;

	if (k == NULL)
		return NULL;
	fd_close(&k->held);
	while (k->child > 0 && read(k->gone, &byte, sizeof(byte)) < 0 && errno == EINTR)
		;
	fd_close(&k->gone);
	/* Waiting for it would take a right that a sandbox need not give; this process ends, too.
	 */
	free(k);
	return NULL;
}
