/* SPDX-License-Identifier: Apache-2.0 */
/* The exit status that the monitor learns, as a shell would give it. */
#ifndef VOLT_INIT_STATUS_H
#define VOLT_INIT_STATUS_H

#include "contract/workload.h"

/*
 * From what wait() gave. An exit status is passed on as it is, 125 and above too: a workload that
 * uses those looks to the caller like Volt's own, as with env, timeout and every container runner.
 */
int status_from_wait(int wait_status);

/* From why the program could not be executed. */
int status_from_exec(int err);

#endif
