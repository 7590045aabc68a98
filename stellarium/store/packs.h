/* SPDX-License-Identifier: Apache-2.0 */
/* Reading pack files: a few open at a time, and from one end to the other. */
#ifndef STELLARIUM_STORE_PACKS_H
#define STELLARIUM_STORE_PACKS_H

#include "stellarium/store/index.h"

#define PACKS_OPEN 64

struct packs {
	int folder; /* packs/, borrowed */
	struct seal_store store;
	struct {
		uint64_t id;
		int fd;
	} open[PACKS_OPEN];
	unsigned int count, next; /* of open[]; the one to give way when all are used */
};

void packs_init(struct packs *p, int folder, const struct seal_store *store);
void packs_deinit(struct packs *p);

/* ABSENT: there is no such pack (any more). DAMAGED says where in `e`, as VERR_CORRUPT. */
enum packs_result { PACKS_OK, PACKS_ABSENT, PACKS_DAMAGED, PACKS_FAULT };

/* Read a chunk's stored bytes; their checksum is right when OK. */
enum packs_result packs_read(struct packs *p, const struct index_place *place, uint8_t *out,
			     struct verr *e);

/* Open a pack that is one of this store; the descriptor belongs to the caller. */
enum packs_result packs_open(const struct packs *p, uint64_t id, int *out, struct verr *e);

/* Is there such a pack, and is it one of this store? */
enum packs_result packs_check(struct packs *p, uint64_t id, struct verr *e);

/* Forget an open pack. */
void packs_forget(struct packs *p, uint64_t id);

/* Every pack's id, in order; `*ids` belongs to the caller. */
V_MUST_CHECK int packs_list(struct packs *p, uint64_t **ids, size_t *count, struct verr *e);

/* -- from one end to the other */

struct packs_walk {
	int fd;
	uint64_t id, size, at,
		next;   /* of the file; of the segment that was shown last, and after it */
	uint8_t *table; /* head and entries of the segment at `at` */
	struct pack_segment segment;
	struct pack_entry entries[PACK_ENTRIES_MAX];
};

enum packs_result packs_walk_open(struct packs *p, uint64_t id, struct packs_walk **out,
				  struct verr *e);
struct packs_walk *packs_walk_close(struct packs_walk *w); /* takes NULL; returns NULL */

/* The next whole segment; ABSENT: there is no more, and what is left from `next` on is unfinished.
 */
enum packs_result packs_walk_next(struct packs_walk *w, struct verr *e);

/* All bytes of the segment that was shown last; `out` has room for PACK_SEGMENT_MAX. */
V_MUST_CHECK int packs_walk_read(struct packs_walk *w, uint8_t *out, struct verr *e);

/* Where an entry of the segment is. */
struct index_place packs_walk_place(const struct packs_walk *w, const struct pack_entry *entry);

#endif
