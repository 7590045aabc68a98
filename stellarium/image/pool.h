/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that hash and compress. Jobs begin in the order they came in, and end in any. */
#ifndef STELLARIUM_IMAGE_POOL_H
#define STELLARIUM_IMAGE_POOL_H

#include "stellarium/chunk/codec.h"

struct pool;

struct pool_job {
	void (*run)(struct pool_job *job, struct chunk_codec *codec);
	struct pool_job *next;
	bool done;
};

/* One thread for each processor we may use. */
V_MUST_CHECK int pool_start(struct pool **out, struct verr *e);

/* Jobs that have not begun are forgotten; those that have are waited for. Takes NULL; returns NULL.
 */
struct pool *pool_stop(struct pool *p);

/* The job stays where it is until it has been waited for. */
void pool_submit(struct pool *p, struct pool_job *job);
void pool_wait(struct pool *p, struct pool_job *job);

#endif
