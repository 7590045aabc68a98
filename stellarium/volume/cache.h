/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Expanded chunks, as many as fit into a fixed piece of memory: a ring, in which what was put in
 * first gives way first. Any thread; one that reads or fills an entry holds it, and as long as one
 * does, the entry stays.
 */
#ifndef STELLARIUM_VOLUME_CACHE_H
#define STELLARIUM_VOLUME_CACHE_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/verr.h"

struct cache;

/* No chunk is longer than `largest`; where a few of them would not fit, nothing is cached. */
V_MUST_CHECK int cache_new(struct cache **out, size_t bytes, size_t largest, struct verr *e);
struct cache *cache_free(struct cache *c); /* takes NULL; returns NULL */

struct cache_hold {
	uint32_t entry;
	uint8_t *bytes;
};

enum cache_result {
	CACHE_HIT,     /* held: read it, then cache_release() */
	CACHE_FILL,    /* held: fill it, then cache_filled() */
	CACHE_FILLING, /* somebody else does that */
	CACHE_NO_ROOM, /* everything is held, or too small */
};

/*
 * Find chunk `key`, or room for its `len` bytes. Who is told that it is being filled may call
 * again with `wait`: then that is waited for.
 */
enum cache_result cache_get(struct cache *c, uint64_t key, size_t len, bool wait,
			    struct cache_hold *hold);

/* Only what is there: HIT, or NO_ROOM. */
enum cache_result cache_look(struct cache *c, uint64_t key, struct cache_hold *hold);

void cache_filled(struct cache *c, const struct cache_hold *hold, bool good); /* and release */
void cache_release(struct cache *c, const struct cache_hold *hold);

#endif
