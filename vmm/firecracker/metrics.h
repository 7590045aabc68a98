/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics with Firecracker's names (metrics.def), a line of JSON each time: once a minute, when
 * somebody asks, and at the end. What counts events is written as the difference to the line
 * before. Nothing blocks: of a line that its reader has no room for the rest waits for the next
 * time, and one that could not begin is left out, and its counts are in the one after it.
 */
#ifndef VOLT_VMM_FIRECRACKER_METRICS_H
#define VOLT_VMM_FIRECRACKER_METRICS_H

#include "base/loop.h"
#include "vmm/firecracker/firecracker.h"

struct fc_metrics;
struct machine;

/* Values that are stored, not counted; microseconds, and 0 or 1. */
enum fc_value {
	FC_STARTUP_TIME_US,
	FC_STARTUP_CPU_TIME_US,
	FC_PAUSE_US,
	FC_RESUME_US,
	FC_SIGHUP,
	FC_VALUES,
};

/* `id` is borrowed. */
V_MUST_CHECK int fc_metrics_new(const char *id, struct fc_metrics **out, struct verr *e);
struct fc_metrics *fc_metrics_free(struct fc_metrics *metrics); /* accepts NULL, returns NULL */

/* Once: open the file or FIFO. */
V_MUST_CHECK int fc_metrics_open(struct fc_metrics *metrics, const struct firecracker_metrics *want,
				 struct verr *e);

/* There is a machine (borrowed): a line each minute from now on. */
V_MUST_CHECK int fc_metrics_start(struct fc_metrics *metrics, struct loop *loop,
				  const struct machine *machine, struct verr *e);

/* Write a line, if there is a machine and a file to write to. */
void fc_metrics_write(struct fc_metrics *metrics);

/* The machine is gone soon. */
void fc_metrics_stop(struct fc_metrics *metrics);

/* `path` is endpoints.def's. */
void fc_metrics_count_request(struct fc_metrics *metrics, const char *method, const char *path,
			      bool failed);
void fc_metrics_count_deprecated(struct fc_metrics *metrics);
void fc_metrics_store(struct fc_metrics *metrics, enum fc_value value, uint64_t number);

#endif
