/* SPDX-License-Identifier: Apache-2.0 */
/* What stel_verify()'s files share. */
#ifndef STELLARIUM_IMAGE_VERIFY_H
#define STELLARIUM_IMAGE_VERIFY_H

#include "stellarium/image/manifest.h"
#include "stellarium/image/names.h"

/* What the index says of a pack, and what was found of it. */
struct verify_pack {
	uint64_t id, expected, found, bytes;
};

struct verify {
	struct stel *s;
	struct index_view *view;
	stel_damage_fn *damage;
	void *ctx;
	const struct stel_watch *watch;
	struct stel_verify *out;
	struct verify_pack *packs; /* by id */
	size_t packs_count, packs_room;
	uint8_t *segment, *raw; /* room for a segment, and a chunk */
	uint64_t bytes;         /* of all chunks, as stored */
	struct idset chunks;    /* where the index says, and right; the value is the raw length */
};

void verify_say(struct verify *v, const char *image, const char *fmt, ...) V_PRINTF(3, 4);

/* All that the index says: fills packs. A damaged index is said, and is -1 with no fault in `e`. */
V_MUST_CHECK int verify_index(struct verify *v, struct verr *e);

/* Each pack against the index: fills chunks. */
V_MUST_CHECK int verify_packs(struct verify *v, struct verr *e);

#endif
