/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that hash and compress. Jobs begin in the order they came in, and end in any. */
#ifndef STELLARIUM_IMAGE_JOBS_H
#define STELLARIUM_IMAGE_JOBS_H

#include "stellarium/chunk/codec.h"

struct jobs;

struct jobs_item {
	void (*run)(struct jobs_item *job, struct chunk_codec *codec);
	struct jobs_item *next;
	bool done;
};

/* One thread for each processor we may use. */
V_MUST_CHECK int jobs_start(struct jobs **out, struct verr *e);

/* Jobs that have not begun are forgotten; those that have are waited for. Takes NULL; returns NULL.
 */
struct jobs *jobs_stop(struct jobs *p);

/* The job stays where it is until it has been waited for. */
void jobs_submit(struct jobs *p, struct jobs_item *job);
void jobs_wait(struct jobs *p, struct jobs_item *job);

#endif
