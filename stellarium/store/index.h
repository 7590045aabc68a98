/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index: where each chunk is. LMDB (but see index_pages.h), with two tables: `chunks`, from a
 * chunk's id to its place, and `leaving`, the packs that garbage collection is about to remove (see
 * image/gc.c). All of it can be rebuilt from the packs.
 */
#ifndef STELLARIUM_STORE_INDEX_H
#define STELLARIUM_STORE_INDEX_H

#include "stellarium/store/pack.h"

struct index;        /* an open one */
struct index_view;   /* the index as it was at one moment */
struct index_change; /* what becomes true together, or not at all; one at a time in a store */

struct index_place {
	uint64_t pack, offset; /* of the stored bytes in the pack's file */
	uint64_t checksum;     /* of the stored bytes */
	uint32_t raw, stored;
	enum stel_codec codec;
	enum pack_kind kind;
};

enum index_result { INDEX_FOUND, INDEX_ABSENT, INDEX_FAULT };

/* Open the index in this folder, or `make` one in it; damage is told of as VERR_CORRUPT. */
V_MUST_CHECK int index_open(struct index **out, const char *folder, bool make, struct verr *e);
struct index *index_close(struct index *x); /* takes NULL; returns NULL */
V_MUST_CHECK int index_size(struct index *x, uint64_t *bytes, struct verr *e);

V_MUST_CHECK int index_view_open(struct index *x, struct index_view **out, struct verr *e);
V_MUST_CHECK int index_view_renew(struct index_view *v, struct verr *e); /* as it is now */
struct index_view *index_view_close(struct index_view *v); /* takes NULL; returns NULL */

enum index_result index_find(struct index_view *v, const struct stel_id *id,
			     struct index_place *out, struct verr *e);
enum index_result index_is_leaving(struct index_view *v, uint64_t pack, struct verr *e);

/* Show every chunk; `visit` returns -1 with a fault to end. */
typedef int index_visit_fn(void *ctx, const struct stel_id *id, const struct index_place *place,
			   struct verr *e);
V_MUST_CHECK int index_walk(struct index_view *v, index_visit_fn *visit, void *ctx, struct verr *e);

V_MUST_CHECK int index_change_begin(struct index *x, struct index_change **out, struct verr *e);
V_MUST_CHECK int index_change_commit(struct index_change **c, struct verr *e); /* durable */
struct index_change *index_change_abort(struct index_change *c); /* takes NULL; returns NULL */

/* What a change sees: the index with what was put so far; to find things, not to walk. Lives as
 * long as the change. */
struct index_view *index_change_view(struct index_change *c);

V_MUST_CHECK int index_put(struct index_change *c, const struct stel_id *id,
			   const struct index_place *place, struct verr *e);
V_MUST_CHECK int index_delete(struct index_change *c, const struct stel_id *id, struct verr *e);
V_MUST_CHECK int index_set_leaving(struct index_change *c, uint64_t pack, bool leaving,
				   struct verr *e);
V_MUST_CHECK int index_clear_leaving(struct index_change *c, struct verr *e);

#endif
