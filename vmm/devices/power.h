/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fixed registers of a hardware-reduced ACPI machine: sleep control and sleep status (ACPI 6.4
 * section 4.8.3.7), and the reset register (4.8.3.6), whose value is LAYOUT_RESET_VALUE.
 */
#ifndef VOLT_VMM_DEVICES_POWER_H
#define VOLT_VMM_DEVICES_POWER_H

#include "base/verr.h"
#include "vmm/arch/x86_64/layout.h"
#include "vmm/devices/pio.h"
#include "vmm/state/lists.h"

/* One device from LAYOUT_PORT_SLEEP_CONTROL to LAYOUT_PORT_RESET. */
#define POWER_PORTS (LAYOUT_PORT_RESET - LAYOUT_PORT_SLEEP_CONTROL + 1)

struct power;

/* Both are called from a vCPU's thread, perhaps often and from several at once. */
struct power_options {
	void (*off)(void *arg);
	void (*reset)(void *arg);
	void *arg;
};

V_MUST_CHECK int power_new(const struct power_options *options, struct power **out, struct verr *e);
struct power *power_free(struct power *power); /* accepts NULL, returns NULL */

extern const struct pio_ops power_pio; /* device: struct power */

void power_capture(const struct power *power, struct power_state *out);
V_MUST_CHECK int power_apply(struct power *power, const struct power_state *in, struct verr *e);

#endif
