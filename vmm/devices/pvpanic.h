/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pvpanic (QEMU's docs/specs/pvpanic): one port through which a guest's kernel says that it has
 * panicked. A read gives the events that the device knows, a write reports them.
 */
#ifndef VOLT_VMM_DEVICES_PVPANIC_H
#define VOLT_VMM_DEVICES_PVPANIC_H

#include "base/verr.h"
#include "vmm/devices/pio.h"

#define PVPANIC_PORTS 1

struct pvpanic;

enum pvpanic_event {
	PVPANIC_PANICKED = 0x01,    /* the guest is beyond help: the host decides */
	PVPANIC_CRASHLOADED = 0x02, /* the guest's own crash kernel takes over: only report it */
};

struct pvpanic_options {
	/* From a vCPU's thread, perhaps often and from several at once. */
	void (*event)(void *arg, enum pvpanic_event event);
	void *arg;
};

V_MUST_CHECK int pvpanic_new(const struct pvpanic_options *options, struct pvpanic **out,
			     struct verr *e);
struct pvpanic *pvpanic_free(struct pvpanic *pvpanic); /* accepts NULL, returns NULL */

extern const struct pio_ops pvpanic_pio; /* device: struct pvpanic */

#endif
