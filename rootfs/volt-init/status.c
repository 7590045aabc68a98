/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/status.h"

#include <errno.h>
#include <sys/wait.h>

int status_from_wait(int wait_status)
{
	if (WIFSIGNALED(wait_status))
		return VOLT_STATUS_SIGNAL + WTERMSIG(wait_status);
	return WEXITSTATUS(wait_status);
}

int status_from_exec(int err)
{
	return err == ENOENT || err == ENOTDIR ? VOLT_STATUS_NOT_FOUND : VOLT_STATUS_NOT_EXECUTABLE;
}
