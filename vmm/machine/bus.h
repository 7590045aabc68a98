/* SPDX-License-Identifier: Apache-2.0 */
/* The I/O port bus: which device answers at a port. Filled before the guest runs, constant then. */
#ifndef VOLT_VMM_MACHINE_BUS_H
#define VOLT_VMM_MACHINE_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/devices/pio.h"

#define BUS_RANGES_MAX 16

struct bus {
	struct bus_range {
		uint16_t base, len;
		const struct pio_ops *ops;
		void *device;
	} ranges[BUS_RANGES_MAX];
	size_t count;
};

/* Attach `len` ports from `base`; overlapping ranges and a full bus are bugs and abort. */
void bus_attach(struct bus *bus, uint16_t base, uint16_t len, const struct pio_ops *ops,
		void *device);

/* One access of `size` bytes at `port`, little-endian in `data`; any thread. */
void bus_in(const struct bus *bus, uint16_t port, uint8_t *data, uint8_t size);
void bus_out(const struct bus *bus, uint16_t port, const uint8_t *data, uint8_t size);

#endif
