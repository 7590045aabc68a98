/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image as a disk reads it: a table of where its chunks are, which nobody can write to any more,
 * and the packs they are in, open. It needs neither store nor index once it is made; its lease
 * keeps garbage collection off. Any thread may read, each with a scratch of its own.
 */
#ifndef STELLARIUM_VOLUME_SOURCE_H
#define STELLARIUM_VOLUME_SOURCE_H

#include <stdatomic.h>

#include "stellarium/chunk/expand.h"
#include "stellarium/image/image.h"

struct source_place {
	uint64_t offset; /* in the image */
	uint64_t at;     /* in the pack's file */
	uint32_t raw, stored;
	uint32_t pack; /* index of the descriptor */
	enum stel_codec codec;
	struct stel_id id;
};

struct source {
	uint64_t size; /* bytes of the image */
	struct stel_id id;
	char name[STEL_NAME_MAX + 1]; /* for faults */
	struct source_place *places;  /* by offset; read-only memory */
	size_t count, places_bytes;
	int *packs;
	size_t packs_count;
	uint32_t raw_max, stored_max;
	_Atomic uint8_t *verified; /* by place: it was read, and is what it should be */
	struct lease lease;
};

#define SOURCE_INIT                 \
	{                           \
		.lease = LEASE_INIT \
	}

/* The image's lease becomes the source's. */
V_MUST_CHECK int source_open(struct source *src, struct stel_image *image, const char *name,
			     struct verr *e);

/* The lease's file stays, for its holder may not remove files any more: it is unlocked, and
 * whoever looks at leases next removes it. */
void source_close(struct source *src);

/* The place that ends behind `offset`, or the first one after it; count: none. */
size_t source_find(const struct source *src, uint64_t offset);

/* What a thread needs to read chunks that are not cached. */
struct source_scratch {
	struct chunk_expander *expander;
	uint8_t *stored, *raw; /* room for the largest chunk */
};

V_MUST_CHECK int source_scratch_init(struct source_scratch *scratch, const struct source *src,
				     struct verr *e);
void source_scratch_deinit(struct source_scratch *scratch);

/*
 * Read a chunk to `out`, which has room for its `raw` bytes, and verify it. A chunk that is not
 * what it should be is a fault that names it and the image, and `out` has anything.
 */
V_MUST_CHECK int source_load(const struct source *src, size_t place, struct source_scratch *scratch,
			     uint8_t *out, struct verr *e);

/* May it be read from its pack as it is? It is not compressed, and was verified before. */
static inline bool source_is_plain(const struct source *src, size_t place)
{
	return src->places[place].codec == STEL_CODEC_NONE &&
	       atomic_load_explicit(&src->verified[place], memory_order_relaxed) != 0;
}

#endif
