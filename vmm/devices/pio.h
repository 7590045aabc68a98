/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices on I/O ports. All are eight bits wide; the bus splits wider accesses into bytes, as the
 * ISA bus does, and answers 0xff where nothing listens. Callbacks come from vCPU threads, several
 * at once: a device locks itself, never blocks and never fails.
 */
#ifndef VOLT_VMM_DEVICES_PIO_H
#define VOLT_VMM_DEVICES_PIO_H

#include <stdint.h>

struct pio_ops {
	/* `offset` is below the length that the device was attached with. */
	uint8_t (*in)(void *device, uint16_t offset);
	void (*out)(void *device, uint16_t offset, uint8_t value);
};

#endif
