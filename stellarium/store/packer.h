/* SPDX-License-Identifier: Apache-2.0 */
/* Writing pack files: chunks are gathered to segments, segments appended to packs of our own. */
#ifndef STELLARIUM_STORE_PACKER_H
#define STELLARIUM_STORE_PACKER_H

#include "stellarium/store/index.h"
#include "stellarium/store/lease.h"

struct packer {
	int folder; /* packs/, borrowed */
	struct seal_store store;
	struct lease *lease; /* borrowed; pins the packs */
	bool aligned;        /* whole pages that are not compressed begin on one */

	int fd; /* the pack that is written; -1: none */
	uint64_t id, end;
	bool folder_dirty, dirty;
	uint64_t *made; /* packs that were begun; whoever uses the packer may forget them */
	size_t made_count;

	uint8_t *table, *data; /* the segment that is gathered */
	uint32_t count;
	size_t used;
	struct pack_entry *entries; /* whose `at` counts from data until it is written */
};

#define PACKER_INIT      \
	{                \
		.fd = -1 \
	}

V_MUST_CHECK int packer_init(struct packer *p, int folder, const struct seal_store *store,
			     struct lease *lease, struct verr *e);
void packer_deinit(struct packer *p);

/* Called for each chunk when its segment is written, in order. */
typedef int packer_placed_fn(void *ctx, const struct stel_id *id, const struct index_place *place,
			     struct verr *e);

struct packer_chunk {
	struct stel_id id;
	uint32_t raw;
	enum stel_codec codec;
	enum pack_kind kind;
	struct bytes stored; /* copied */
};

V_MUST_CHECK int packer_add(struct packer *p, const struct packer_chunk *chunk,
			    packer_placed_fn *placed, void *ctx, struct verr *e);

/* Write what is gathered, and make all of it durable. */
V_MUST_CHECK int packer_sync(struct packer *p, packer_placed_fn *placed, void *ctx, struct verr *e);

#endif
