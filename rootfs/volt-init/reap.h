/* SPDX-License-Identifier: Apache-2.0 */
/* The children of PID 1: the workload, and every orphan of the machine. */
#ifndef VOLT_INIT_REAP_H
#define VOLT_INIT_REAP_H

#include <stdbool.h>
#include <sys/types.h>

/* The workload's process. */
struct run {
	pid_t pid; /* 0 where none was started */
	bool ended;
	int status; /* as status.h has it, once it has ended */
};

/* Collects all that have ended; false where no child is left, ended or not. */
bool reap_all(struct run *run);

#endif
