/* SPDX-License-Identifier: Apache-2.0 */
/* PID 1's life between start and end. */
#ifndef VOLT_INIT_SUPERVISE_H
#define VOLT_INIT_SUPERVISE_H

#include "rootfs/volt-init/power.h"
#include "rootfs/volt-init/reap.h"

/* Reaps, passes signals on, and returns when the workload has ended or someone asks for an end. */
enum ending supervise(struct run *run, int initctl);

#endif
