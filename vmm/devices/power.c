/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/devices/power.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/log.h"

enum {
	REG_SLEEP_CONTROL,
	REG_SLEEP_STATUS = LAYOUT_PORT_SLEEP_STATUS - LAYOUT_PORT_SLEEP_CONTROL,
	REG_RESET = LAYOUT_PORT_RESET - LAYOUT_PORT_SLEEP_CONTROL
};

/* Sleep control: the type in bits 2-4, and the bit that enters it. */
enum { SLEEP_TYPE_SHIFT = 2, SLEEP_TYPE_MASK = 0x1c, SLEEP_ENABLE = 0x20 };

struct power {
	struct power_options options;
	struct log_limit limit;
	_Atomic uint8_t sleep_type; /* as the guest reads it back */
};

static uint8_t power_in(void *device, uint16_t offset)
{
	struct power *p = device;

	/* SLEEP_ENABLE reads as 0; the wake status never sets: no state but S5 is entered. */
	return offset == REG_SLEEP_CONTROL ? atomic_load(&p->sleep_type) : 0;
}

static void write_sleep_control(struct power *p, uint8_t value)
{
	unsigned type = (unsigned)(value & SLEEP_TYPE_MASK) >> SLEEP_TYPE_SHIFT;

	atomic_store(&p->sleep_type, (uint8_t)(value & SLEEP_TYPE_MASK));
	if (!(value & SLEEP_ENABLE))
		return;
	if (type == LAYOUT_SLEEP_TYPE_S5)
		p->options.off(p->options.arg);
	else
		log_limited(LOG_WARN, LOG_POWER, &p->limit,
			    "the guest asked for sleep type %u, which this machine has not", type);
}

static void power_out(void *device, uint16_t offset, uint8_t value)
{
	struct power *p = device;

	if (offset == REG_SLEEP_CONTROL)
		write_sleep_control(p, value);
	else if (offset == REG_RESET && value == LAYOUT_RESET_VALUE)
		p->options.reset(p->options.arg);
}

const struct pio_ops power_pio = {.in = power_in, .out = power_out};

int power_new(const struct power_options *options, struct power **out, struct verr *e)
{
	struct power *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return verr_host(e, "power registers: out of memory");
	p->options = *options;
	*out = p;
	return 0;
}

struct power *power_free(struct power *p)
{
	free(p);
	return NULL;
}

void power_capture(const struct power *p, struct power_state *out)
{
	*out = (struct power_state){.sleep_type = atomic_load(&p->sleep_type)};
}

int power_apply(struct power *p, const struct power_state *in, struct verr *e)
{
	if (in->sleep_type & ~SLEEP_TYPE_MASK)
		return verr_corrupt(e, "the sleep control register is as it cannot be");
	atomic_store(&p->sleep_type, in->sleep_type);
	return 0;
}
