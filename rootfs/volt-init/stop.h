/* SPDX-License-Identifier: Apache-2.0 */
/* Ends every process but PID 1. */
#ifndef VOLT_INIT_STOP_H
#define VOLT_INIT_STOP_H

#include <stdbool.h>
#include <stdint.h>

#include "rootfs/volt-init/reap.h"

/* Asks all to end, gives them a bounded time, kills what is left. Returns when none is left. */
void stop_processes(struct run *run, bool debug);

/* Whether "status", the content of /proc/PID/status, says that the process ignores "signo". */
bool stop_is_ignored(const char *status, int signo);

#endif
