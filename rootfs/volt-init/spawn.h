/* SPDX-License-Identifier: Apache-2.0 */
/* Starts the workload. */
#ifndef VOLT_INIT_SPAWN_H
#define VOLT_INIT_SPAWN_H

#include "rootfs/volt-init/port.h"
#include "rootfs/volt-init/reap.h"
#include "rootfs/volt-init/user.h"
#include "rootfs/volt-init/workload.h"

/*
 * Returns when the program is executing, 0, or -1 with the reason: then run->status is the status
 * to report.
 */
int spawn_workload(struct run *run, struct workload *workload, const struct user *user,
		   const struct port *port, struct why *why);

#endif
