/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/devices/block/written.h"

#include <stdlib.h>

#include "base/compiler.h"

#define PART WRITTEN_PART

int written_begin(struct disk_written *w, uint64_t size, struct verr *e)
{
	w->parts = (size + PART - 1) / PART;
	free(w->bits);
	w->bits = calloc((size_t)(w->parts / 64 + 1), sizeof(*w->bits));
	if (w->bits == NULL)
		return verr_host(e, "out of memory");
	atomic_store(&w->on, true);
	return 0;
}

/* The bits stay: somebody may be about to set one. */
void written_end(struct disk_written *w)
{
	atomic_store(&w->on, false);
}

void written_note(struct disk_written *w, uint64_t offset, uint64_t len)
{
	if (!atomic_load_explicit(&w->on, memory_order_relaxed) || len == 0)
		return;
	for (uint64_t part = offset / PART; part <= (offset + len - 1) / PART && part < w->parts;
	     part++)
		atomic_fetch_or(&w->bits[part / 64], 1ULL << part % 64);
}

bool written_next(const struct disk_written *w, uint64_t *offset, uint64_t *len)
{
	for (uint64_t part = *offset / PART; part < w->parts; part++)
		if (atomic_load(&w->bits[part / 64]) >> part % 64 & 1) {
			*offset = part * PART;
			*len = PART;
			return true;
		}
	return false;
}
