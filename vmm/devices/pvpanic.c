/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/devices/pvpanic.h"

#include <stdlib.h>

struct pvpanic {
	struct pvpanic_options options;
};

static uint8_t pvpanic_in(void *device, uint16_t offset)
{
	(void)device;
	(void)offset;
	return PVPANIC_PANICKED | PVPANIC_CRASHLOADED;
}

/* Bits that the device does not know are ignored; of two events the graver one counts. */
static void pvpanic_out(void *device, uint16_t offset, uint8_t value)
{
	struct pvpanic *p = device;

	(void)offset;
	if (value & PVPANIC_PANICKED)
		p->options.event(p->options.arg, PVPANIC_PANICKED);
	else if (value & PVPANIC_CRASHLOADED)
		p->options.event(p->options.arg, PVPANIC_CRASHLOADED);
}

const struct pio_ops pvpanic_pio = {.in = pvpanic_in, .out = pvpanic_out};

int pvpanic_new(const struct pvpanic_options *options, struct pvpanic **out, struct verr *e)
{
	struct pvpanic *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return verr_host(e, "pvpanic: out of memory");
	p->options = *options;
	*out = p;
	return 0;
}

struct pvpanic *pvpanic_free(struct pvpanic *p)
{
	free(p);
	return NULL;
}
