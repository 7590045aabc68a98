/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/reap.h"

#include <errno.h>
#include <sys/wait.h>

#include "rootfs/volt-init/status.h"

bool reap_all(struct run *run)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == run->pid && !run->ended) {
			run->ended = true;
			run->status = status_from_wait(status);
		}
	}
	return pid == 0 || errno != ECHILD;
}
