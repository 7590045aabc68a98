/* SPDX-License-Identifier: Apache-2.0 */
/* A few threads that do what would block: the sync engine's. One pool serves all disks. */
#ifndef VOLT_VMM_DEVICES_BLOCK_WORKERS_H
#define VOLT_VMM_DEVICES_BLOCK_WORKERS_H

#include <stdbool.h>

#include "base/verr.h"

struct sandbox;
struct workers;

/* A piece of work; embedded in whatever it is about, which lives until `run` has returned. */
struct job {
	void (*run)(struct job *job); /* on a worker's thread */
	struct job *next;
};

/* The pool, then its threads, confined by `sandbox` (NULL: by nothing). */
V_MUST_CHECK int workers_new(unsigned threads, struct workers **out, struct verr *e);
V_MUST_CHECK int workers_start(struct workers *w, struct sandbox *sandbox, struct verr *e);
bool workers_running(const struct workers *w);   /* none: what is added waits for ever */
struct workers *workers_free(struct workers *w); /* no work is left; accepts NULL, returns NULL */

/* Any thread. The first that comes is the first that is begun. */
void workers_add(struct workers *w, struct job *job);

#endif
