/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A volume: an image that many share, and over it what one machine has written.
 *
 *	read    each run of pages from where its state says (overlay.h): zeros, the overlay's file,
 *	        or the image, of which what is not compressed and was verified is read from its
 *	        pack, and the rest through the cache
 *	write   whole pages to the overlay, then their state; where a page is not there yet and only
 *	        a part of it is written, the rest of it is copied, under a lock for that page
 *	zero    states only; the overlay's file gets holes
 *
 * The engine that calls this has threads that may block. Nothing here opens, maps or allocates
 * once the volume is open.
 */
#ifndef STELLARIUM_VOLUME_VOLUME_H
#define STELLARIUM_VOLUME_VOLUME_H

#include "stellarium/volume/cache.h"
#include "stellarium/volume/overlay.h"
#include "stellarium/volume/source.h"
#include "stellarium/volume/vec.h"

#define VOLUME_LOCKS 64

struct stel_volume {
	struct source source;
	struct overlay overlay;
	bool readonly;
	struct cache *cache;
	pthread_mutex_t pages[VOLUME_LOCKS]; /* who copies the rest of a page holds one */

	/* Threads that read what is not cached take one of these. */
	pthread_mutex_t scratch_lock;
	pthread_cond_t scratch_back;
	struct source_scratch *scratches;
	unsigned int scratch_count, scratch_free; /* scratch_lock */
	unsigned int *scratch_ids;                /* the free ones; scratch_lock */

	/* Reading ahead: a reader that goes on where it ended wants what follows soon. */
	uint64_t ahead;                      /* bytes; 0: never */
	_Atomic uint64_t last_end;           /* of the read before */
	_Atomic uint64_t ahead_at, ahead_to; /* what is to be read ahead */
};

/* The image's part [offset, offset + len), `to` its buffers; 0 or an errno, and a fault that says
 * more. With `now`: EAGAIN where that would wait for anything. */
V_MUST_CHECK int volume_read_image(struct stel_volume *v, struct vec *to, uint64_t offset,
				   uint64_t len, bool now, struct verr *e);

#endif
