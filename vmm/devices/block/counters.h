/* SPDX-License-Identifier: Apache-2.0 */
/* What a disk counts. */
#ifndef VOLT_VMM_DEVICES_BLOCK_COUNTERS_H
#define VOLT_VMM_DEVICES_BLOCK_COUNTERS_H

#include "base/metrics.h"
#include "vmm/devices/block/disk.h"

struct block_counters {
	counter reads, writes, flushes, discards, zeroes, others;
	counter read_bytes, written_bytes;
	counter errors, throttled;
};

/* An operation that is about to be done. */
void block_count(struct block_counters *counters, const struct disk_io *io);

extern const struct metric_row block_metric_rows[];
extern const size_t block_metric_count;

#endif
