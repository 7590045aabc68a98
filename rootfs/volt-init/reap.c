/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/reap.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "rootfs/volt-init/status.h"

/*
 * Ctrl-Z stops the workload, and there is no shell above it that would let it go on. A stop that
 * somebody sent on purpose (SIGSTOP) is left alone.
 */
static void resume(const struct run *run, int status)
{
	if (WSTOPSIG(status) != SIGSTOP)
		(void)kill(-run->pid, SIGCONT);
}

bool reap_all(struct run *run)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
		if (pid != run->pid || run->ended)
			continue;
		if (WIFSTOPPED(status)) {
			resume(run, status);
			continue;
		}
		run->ended = true;
		run->status = status_from_wait(status);
	}
	return pid == 0 || errno != ECHILD;
}
