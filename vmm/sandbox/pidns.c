/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PID namespace (pid_namespaces(7)): its first process is the monitor, and the one that we were
 * stays outside, without a part in the machine: it passes signals on and ends as the monitor does.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "vmm/sandbox/layers.h"

static const int forwarded[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1};

static int write_file(const char *path, const char *text)
{
	auto_fd fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 || write(fd, text, strlen(text)) < 0 ? -1 : 0;
}

/* The user and the group keep their numbers, or no user namespace could be made in this one. */
static int map_ids(uid_t uid, gid_t gid)
{
	char users[64], groups[64];

	(void)snprintf(users, sizeof(users), "%u %u 1", uid, uid);
	(void)snprintf(groups, sizeof(groups), "%u %u 1", gid, gid);
	return write_file("/proc/self/uid_map", users) < 0 ||
			       write_file("/proc/self/setgroups", "deny") < 0 ||
			       write_file("/proc/self/gid_map", groups) < 0
		       ? -1
		       : 0;
}

static int unshare_pid(struct verr *e)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (unshare(CLONE_NEWPID) == 0)
		return 0;
	if (errno == EPERM && unshare(CLONE_NEWUSER | CLONE_NEWPID) == 0 && map_ids(uid, gid) == 0)
		return 0;
	return verr_os(e, "--new-pid-ns: this host gives no PID namespace (volt doctor says why)");
}

/* What a terminal sends, it sends to both. */
static void forward(pid_t child, const siginfo_t *info)
{
	if (info->si_code == SI_USER || info->si_code == SI_QUEUE || info->si_code == SI_TKILL)
		(void)kill(child, info->si_signo);
}

static int end_as(int status)
{
	const struct rlimit no_core = {0, 0};
	sigset_t one;

	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	(void)setrlimit(RLIMIT_CORE, &no_core);
	(void)signal(WTERMSIG(status), SIG_DFL);
	(void)sigemptyset(&one);
	(void)sigaddset(&one, WTERMSIG(status));
	(void)raise(WTERMSIG(status));
	(void)sigprocmask(SIG_UNBLOCK, &one, NULL);
	return 128 + WTERMSIG(status);
}

static int stay_outside(pid_t child, const sigset_t *signals)
{
	siginfo_t info;
	int status;

	for (;;) {
		if (sigwaitinfo(signals, &info) < 0)
			continue;
		if (info.si_signo != SIGCHLD)
			forward(child, &info);
		else if (waitpid(child, &status, WNOHANG) == child)
			return end_as(status);
	}
}

void pidns_end_with_parent(void)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
}

int pidns_enter(int *status, struct verr *e)
{
	sigset_t signals, before;
	pid_t child;

	if (unshare_pid(e) < 0)
		return -1;
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGCHLD);
	for (size_t i = 0; i < ARRAY_LEN(forwarded); i++)
		(void)sigaddset(&signals, forwarded[i]);
	(void)sigprocmask(SIG_BLOCK, &signals, &before);
	/* Ignored, as whoever started this may have it, the child's end would not be told. */
	(void)signal(SIGCHLD, SIG_DFL);
	child = fork();
	if (child < 0)
		return verr_os(e, "--new-pid-ns");
	if (child > 0) {
		*status = stay_outside(child, &signals);
		return 1;
	}
	pidns_end_with_parent();
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	return 0;
}
