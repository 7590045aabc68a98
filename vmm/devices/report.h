/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the guest's userspace reports to the host through contract/ports.h: the workload's exit
 * status and marks on the start-up time line. Both are the guest's word and are only passed on.
 */
#ifndef VOLT_VMM_DEVICES_REPORT_H
#define VOLT_VMM_DEVICES_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/verr.h"
#include "contract/ports.h"
#include "vmm/devices/pio.h"
#include "vmm/state/lists.h"

/* One device from VOLT_PORT_STATUS to VOLT_PORT_MARK. */
#define REPORT_PORTS (VOLT_PORT_MARK - VOLT_PORT_STATUS + 1)

struct report;

V_MUST_CHECK int report_new(struct report **out, struct verr *e);
struct report *report_free(struct report *report); /* accepts NULL, returns NULL */

extern const struct pio_ops report_pio; /* device: struct report */

/* The last exit status that the guest wrote; false when it has written none. Any thread. */
V_MUST_CHECK bool report_status(const struct report *report, uint8_t *status);

/* The marks are of this process's time line, and no part of it. */
void report_capture(const struct report *report, struct report_state *out);
void report_apply(struct report *report, const struct report_state *in);

/* When the guest first wrote a mark: CLOCK_MONOTONIC in nanoseconds, 0 for not yet. Any thread. */
uint64_t report_mark_ns(const struct report *report, enum volt_mark mark);

#endif
