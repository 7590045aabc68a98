/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/devices/report.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/sys.h"

enum { REG_STATUS, REG_MARK = VOLT_PORT_MARK - VOLT_PORT_STATUS };

#define STATUS_NONE (-1)

struct report {
	_Atomic int status;
	_Atomic uint64_t marks[VOLT_MARK_COUNT];
};

static uint8_t report_in(void *device, uint16_t offset)
{
	(void)device;
	(void)offset;
	return 0xff;
}

static void write_mark(struct report *r, uint8_t mark)
{
	uint64_t never = 0;

	if (mark >= VOLT_MARK_INIT && mark < VOLT_MARK_COUNT)
		(void)atomic_compare_exchange_strong(&r->marks[mark], &never, sys_now_ns());
}

static void report_out(void *device, uint16_t offset, uint8_t value)
{
	struct report *r = device;

	if (offset == REG_STATUS)
		atomic_store(&r->status, value);
	else if (offset == REG_MARK)
		write_mark(r, value);
}

const struct pio_ops report_pio = {.in = report_in, .out = report_out};

int report_new(struct report **out, struct verr *e)
{
	struct report *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return verr_host(e, "report ports: out of memory");
	atomic_store(&r->status, STATUS_NONE);
	*out = r;
	return 0;
}

struct report *report_free(struct report *r)
{
	free(r);
	return NULL;
}

bool report_status(const struct report *r, uint8_t *status)
{
	int value = atomic_load(&r->status);

	if (value == STATUS_NONE)
		return false;
	*status = (uint8_t)value;
	return true;
}

uint64_t report_mark_ns(const struct report *r, enum volt_mark mark)
{
	if (mark < VOLT_MARK_INIT || mark >= VOLT_MARK_COUNT)
		return 0;
	return atomic_load(&r->marks[mark]);
}

void report_capture(const struct report *r, struct report_state *out)
{
	*out = (struct report_state){0};
	out->status_count = report_status(r, &out->status[0]);
}

void report_apply(struct report *r, const struct report_state *in)
{
	atomic_store(&r->status, in->status_count == 1 ? in->status[0] : STATUS_NONE);
}
