/* SPDX-License-Identifier: Apache-2.0 */
/* When a machine passed which point of its start, in CLOCK_MONOTONIC nanoseconds; 0: not yet. */
#ifndef VOLT_VMM_MACHINE_TIMELINE_H
#define VOLT_VMM_MACHINE_TIMELINE_H

#include <stdint.h>

enum timeline_point {
	TIMELINE_BUILD,     /* configuration read, building begins */
	TIMELINE_OPENED,    /* every file open */
	TIMELINE_VM,        /* KVM has a VM with memory, irqchip and vCPUs */
	TIMELINE_LOADED,    /* kernel, initrd and tables in place */
	TIMELINE_CONNECTED, /* interrupts and the loop, too: what follows is the sandbox */
	TIMELINE_READY,     /* threads parked */
	TIMELINE_RUN,       /* the boot processor's first KVM_RUN */
	TIMELINE_POINTS,
};

struct timeline {
	_Atomic uint64_t ns[TIMELINE_POINTS]; /* TIMELINE_RUN is a vCPU thread's */
};

#endif
