/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The probe guest: a few dozen instructions in a machine of their own, which do what no Linux can
 * do without: run in 64-bit mode with paging, take an int3 through the IDT and come back, go to
 * user mode, and call the kernel from there with SYSCALL, which must arrive at privilege level 0.
 * A KVM without hardware behind it may fail at any of them.
 */
#ifndef VOLT_VOLT_PROBE_H
#define VOLT_VOLT_PROBE_H

#include <stdbool.h>

#include "vmm/kvm/kvm.h"

struct probe_answer {
	bool passed;
	char why[256]; /* the first thing that failed, and how */
};

/*
 * Run the probe guest in a fresh VM, which is used up by it. A guest that cannot be set up is a
 * fault; one that does not do its part, or not within a second, is an answer. For the time of the
 * call SIGALRM and the real-time interval timer are the probe's.
 */
V_MUST_CHECK int probe_run(struct kvm_vm *vm, struct probe_answer *answer, struct verr *e);

#endif
