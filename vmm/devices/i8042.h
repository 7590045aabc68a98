/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An i8042 keyboard controller with a keyboard (and no mouse): enough for a guest to find both, to
 * receive Ctrl-Alt-Del, and to reset the machine by command 0xFE. IRQ 1 by edge.
 */
#ifndef VOLT_VMM_DEVICES_I8042_H
#define VOLT_VMM_DEVICES_I8042_H

#include <stdbool.h>

#include "base/metrics.h"
#include "base/verr.h"
#include "vmm/devices/pio.h"
#include "vmm/state/lists.h"

struct i8042;

struct i8042_options {
	int irq; /* eventfd; borrowed; non-blocking */
	/*
	 * The guest asked for a reset; from a vCPU's thread, device locked. A hostile guest asks
	 * often.
	 */
	void (*reset)(void *arg);
	void *arg;
};

V_MUST_CHECK int i8042_new(const struct i8042_options *options, struct i8042 **out, struct verr *e);
struct i8042 *i8042_free(struct i8042 *kbd); /* accepts NULL, returns NULL */

/* The data port (0x60, one port) and the command port (0x64, one port); device: struct i8042. */
extern const struct pio_ops i8042_data_pio;
extern const struct pio_ops i8042_command_pio;

/*
 * Press and release Ctrl-Alt-Del. Any thread. Returns false, and sends nothing, when the guest has
 * not enabled its keyboard (no driver, or not yet) or has not read what was sent before.
 */
bool i8042_ctrl_alt_del(struct i8042 *kbd);

/* While no vCPU runs. A byte that is there after i8042_apply() gives an edge, anew if it has. */
void i8042_capture(struct i8042 *kbd, struct i8042_state *out);
V_MUST_CHECK int i8042_apply(struct i8042 *kbd, const struct i8042_state *in, struct verr *e);

/* Counters: bytes to the guest, interrupts, bytes dropped, resets asked for. Borrowed. */
struct metric_group i8042_metrics(const struct i8042 *kbd);

#endif
