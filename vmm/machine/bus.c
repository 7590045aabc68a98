/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/machine/bus.h"

#include <stdlib.h>

static const struct bus_range *find(const struct bus *bus, uint32_t port)
{
	for (size_t i = 0; i < bus->count; i++)
		if (port - bus->ranges[i].base < bus->ranges[i].len)
			return &bus->ranges[i];
	return NULL;
}

void bus_attach(struct bus *bus, uint16_t base, uint16_t len, const struct pio_ops *ops,
		void *device)
{
	if (bus->count == BUS_RANGES_MAX || len == 0 || len > UINT16_MAX - base)
		abort();
	for (uint32_t port = base; port < (uint32_t)base + len; port++)
		if (find(bus, port) != NULL)
			abort();
	bus->ranges[bus->count++] =
		(struct bus_range){.base = base, .len = len, .ops = ops, .device = device};
}

void bus_in(const struct bus *bus, uint16_t port, uint8_t *data, uint8_t size)
{
	for (uint8_t i = 0; i < size; i++) {
		uint32_t at = (uint32_t)port + i;
		const struct bus_range *r = find(bus, at);

		data[i] = 0xFF;
		if (r != NULL && r->ops->in != NULL)
			data[i] = r->ops->in(r->device, (uint16_t)(at - r->base));
	}
}

void bus_out(const struct bus *bus, uint16_t port, const uint8_t *data, uint8_t size)
{
	for (uint8_t i = 0; i < size; i++) {
		uint32_t at = (uint32_t)port + i;
		const struct bus_range *r = find(bus, at);

		if (r != NULL && r->ops->out != NULL)
			r->ops->out(r->device, (uint16_t)(at - r->base), data[i]);
	}
}
