/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which parts of a disk were written, or asked to be, since somebody has wanted to know: a copy
 * that was made meanwhile is right but for these. Costs a look at a flag when nobody does.
 */
#ifndef VOLT_VMM_DEVICES_BLOCK_WRITTEN_H
#define VOLT_VMM_DEVICES_BLOCK_WRITTEN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/verr.h"

#define WRITTEN_PART KIB(64) /* what is noted at once */

struct disk_written {
	atomic_bool on;
	uint64_t parts;
	_Atomic uint64_t *bits; /* a part each */
};

/* Begin for a disk of so many bytes, with nothing noted; the end. While nothing is in flight. */
V_MUST_CHECK int written_begin(struct disk_written *w, uint64_t size, struct verr *e);
void written_end(struct disk_written *w);

/* Any thread, before it is written. */
void written_note(struct disk_written *w, uint64_t offset, uint64_t len);

/* The next part that was, at `*offset` or behind it; false: none. */
bool written_next(const struct disk_written *w, uint64_t *offset, uint64_t *len);

#endif
