/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Garbage collection, while imports and readers go on. What it must never do is to remove a chunk
 * that an import has just found to be there and will name in a moment. Both follow this protocol:
 *
 *	garbage collection                      who puts chunks in (store/writer.c)
 *
 *	1  which packs are there?               pins a pack, then makes it
 *	2  what do names and leases lead to?
 *	3  which packs are mostly garbage?      finds a chunk in a pack: pins the pack, then looks
 *	   they are "leaving", in the index     again: is it leaving? then it stores the chunk anew
 *	4  which packs are pinned now? they     gives the image its name
 *	   stay                                 ends its lease
 *	5  once more: what do names and
 *	   leases lead to?
 *	6  copy what is needed, make it
 *	   durable, change the index at once,
 *	   unlink the packs
 *
 * A pin that is older than 3 is seen in 4, or has ended, and then its name is seen in 5. One that
 *is younger sees that the pack is leaving. Killed at any point, garbage collection leaves packs
 *that are leaving: they are whole, and the next one begins by saying that none is.
 */
#ifndef STELLARIUM_IMAGE_GC_H
#define STELLARIUM_IMAGE_GC_H

#include "stellarium/image/census.h"
#include "stellarium/store/packer.h"

struct gc_pack {
	uint64_t id, size;  /* of the file */
	uint64_t all, live; /* bytes of its chunks; of those, what something leads to */
	uint64_t copied;    /* of those */
	bool spared;        /* in use */
	bool leaving;
};

struct gc_moved {
	struct stel_id id;
	struct index_place to;
};

struct gc {
	struct stel *s;
	const struct stel_watch *watch;
	struct stel_gc *out;
	struct index_view *view;
	struct census census;
	struct gc_pack *packs; /* by id */
	size_t packs_count;

	struct lease lease; /* for what is copied */
	struct packer packer;
	struct stel_id *dead; /* in packs that are leaving, and nothing leads to them */
	size_t dead_count, dead_room;
	struct gc_moved *moved;
	size_t moved_count, moved_room;
	uint64_t copied, to_copy; /* bytes */
};

struct gc_pack *gc_find(const struct gc *g, uint64_t id); /* or NULL */

/* Step 6, for all packs that are leaving. */
V_MUST_CHECK int gc_sweep(struct gc *g, struct verr *e);

#endif
