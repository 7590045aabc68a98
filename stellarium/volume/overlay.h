/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An open overlay: the pages that one machine has written, which they are, and making that durable.
 * Its format is in overlay_format.h.
 *
 * Any thread may look at states and change them. Who writes a page writes all of it before its
 * state says so; the file's own order makes the rest (see overlay_flush()).
 */
#ifndef STELLARIUM_VOLUME_OVERLAY_H
#define STELLARIUM_VOLUME_OVERLAY_H

#include <pthread.h>
#include <stdatomic.h>

#include "stellarium/volume/overlay_format.h"

struct overlay {
	int fd;          /* -1: there is none, and every page is the image's */
	bool readonly;   /* nothing is written */
	bool passing;    /* nobody will want it back: nothing is made durable */
	bool unsafe;     /* a crash of the host may lose what was flushed; one of ours, not */
	bool made;       /* by overlay_make(), a moment ago */
	bool changeable; /* map_lock and flush_lock exist */
	uint64_t size, pages, blocks, data_at;

	_Atomic uint64_t *map; /* two bits a page, blocks * OVERLAY_WORDS of them */
	uint64_t *written;     /* the same, as the flush that runs writes it */
	uint8_t *dirty;        /* by block; map_lock */
	uint8_t *changed;      /* by block: what the flush that runs writes; flush_lock */
	uint8_t *current;      /* by block: the slot that counts; flush_lock */
	pthread_mutex_t map_lock, flush_lock;
	uint64_t number; /* of the last flush; flush_lock */
	int failed;      /* an errno: what was written may be lost; flush_lock */
};

#define OVERLAY_INIT     \
	{                \
		.fd = -1 \
	}

/* Where it is: a folder, borrowed, and a name in it. */
struct overlay_place {
	int folder;
	const char *name;
};

enum overlay_found { OVERLAY_FOUND, OVERLAY_MISSING, OVERLAY_FAULT };

/* How it is opened: READ and WRITE lock it, against writers or everybody; LOOK locks nothing, and
 * leaves out which pages it has when somebody else writes it. */
enum overlay_access { OVERLAY_READ, OVERLAY_WRITE, OVERLAY_LOOK };

/* Open one. `*busy`, unless NULL, says that LOOK found it in use. */
enum overlay_found overlay_open(struct overlay *o, const struct overlay_place *place,
				enum overlay_access access, const struct seal_store *store,
				struct overlay_head *head, bool *busy, struct verr *e);

/* Make one, whatever its size at once, and open it to write. MISSING: somebody else was faster. */
enum overlay_found overlay_make(struct overlay *o, const struct overlay_place *place,
				const struct overlay_head *head, struct verr *e);

/* One that is gone when it is closed, in a folder for temporary files. */
V_MUST_CHECK int overlay_temporary(struct overlay *o, uint64_t size, struct verr *e);

void overlay_close(struct overlay *o);

/* -- pages. Any thread. */

enum overlay_state overlay_state(const struct overlay *o, uint64_t page);

/* How many pages from `page` on, at most `most`, have the state of the first. */
uint64_t overlay_run(const struct overlay *o, uint64_t page, uint64_t most,
		     enum overlay_state *state);

void overlay_set(struct overlay *o, uint64_t page, uint64_t count, enum overlay_state state);

/* Where a page's bytes are in the file. */
static inline uint64_t overlay_at(const struct overlay *o, uint64_t offset)
{
	return o->data_at + offset;
}

/*
 * When it returns 0, whatever was written and set before it began is durable. Else an errno; after
 * the kernel has told of a loss it never succeeds again, for what was lost is not known.
 */
V_MUST_CHECK int overlay_flush(struct overlay *o);

#endif
