/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An open store, as the rooms above see it.
 *
 *	format         what store this is, and its defaults; each who has it open holds a lock on it
 *	packs/         the chunks (pack.h)
 *	index/         where each is (index.h)
 *	names          which images there are (image/names.h)
 *	leases/        what is in use (lease.h)
 *	gc             locked by who collects garbage
 *
 * What happens in which order makes it crash-safe: a pack is durable before the index knows of it,
 * the index before a name does.
 */
#ifndef STELLARIUM_STORE_CAS_H
#define STELLARIUM_STORE_CAS_H

#include "stellarium/chunk/expand.h"
#include "stellarium/store/idset.h"
#include "stellarium/store/packs.h"

#define CAS_NAMES "names"
#define CAS_NAMES_NEW "names.new"
#define CAS_INDEX "index"

struct stel {
	char *path;
	int dir, format, packs_dir, leases_dir, gc; /* descriptors */
	struct seal_store store;
	struct stel_options defaults;
	struct index *index; /* NULL in stel_repair_index() */
	struct packs packs;
	struct chunk_expander *expander;
	uint8_t *stored; /* room for a chunk as it is stored */
};

/* Open all but the index; `exclusive`: nobody else may have it open. */
V_MUST_CHECK int cas_open(struct stel **out, const char *path, bool exclusive, struct verr *e);

enum cas_result { CAS_OK, CAS_MISSING, CAS_DAMAGED, CAS_FAULT };

/*
 * Read a chunk to `out`, which has room for `room` bytes, expand and verify it; `*len` is its
 * length. MISSING (not in the index, or not where it says) and DAMAGED say more in `e`, as
 * VERR_CORRUPT. `view` may be renewed.
 */
enum cas_result cas_load(struct stel *s, struct index_view *view, const struct stel_id *id,
			 uint8_t *out, size_t room, size_t *len, struct verr *e);

/* Expand and verify what packs_read() gave. */
enum cas_result cas_expand(struct stel *s, const struct stel_id *id,
			   const struct index_place *place, const uint8_t *stored, uint8_t *out,
			   struct verr *e);

#endif
