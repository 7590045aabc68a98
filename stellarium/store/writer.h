/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Putting chunks into a store, each once.
 *
 *	writer_know()    is it there? Then it stays there until writer_close(). Else
 *	writer_add()     must follow, in any order, before
 *	writer_commit()  makes all durable, and known to the index.
 *
 * The lease that ends with writer_close() keeps garbage collection off, so whatever is to keep the
 * chunks afterwards (a name) comes before.
 */
#ifndef STELLARIUM_STORE_WRITER_H
#define STELLARIUM_STORE_WRITER_H

#include "stellarium/store/cas.h"
#include "stellarium/store/packer.h"

struct writer {
	struct stel *s; /* borrowed */
	struct lease lease;
	struct packer packer;
	struct index_view *view;
	struct idset pending;         /* announced by writer_know(), and not in the index yet */
	struct writer_placed *placed; /* written, and not in the index yet */
	size_t placed_count, placed_room;
	uint64_t lookups;
};

#define WRITER_INIT                                        \
	{                                                  \
		.lease = LEASE_INIT, .packer = PACKER_INIT \
	}

/* `aligned`: whole pages that are not compressed begin on a page of the pack. */
V_MUST_CHECK int writer_open(struct writer *w, struct stel *s, bool aligned, struct verr *e);

/* What was not committed is gone. */
void writer_close(struct writer *w);

enum writer_result { WRITER_KNOWN, WRITER_NEW, WRITER_FAULT };

/* NEW obliges the caller to writer_add() it; asked again meanwhile it is KNOWN. */
enum writer_result writer_know(struct writer *w, const struct stel_id *id, struct verr *e);

V_MUST_CHECK int writer_add(struct writer *w, const struct packer_chunk *chunk, struct verr *e);
/* A node of an image's tree, unless it is there: `*stored` grows by what is written. */
V_MUST_CHECK int writer_add_node(struct writer *w, const struct stel_id *id, struct bytes node,
				 uint64_t *stored, struct verr *e);
V_MUST_CHECK int writer_commit(struct writer *w, struct verr *e);

#endif
