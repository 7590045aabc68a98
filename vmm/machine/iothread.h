/* SPDX-License-Identifier: Apache-2.0 */
/* A thread that runs an event loop of its own, for the queues of one disk. */
#ifndef VOLT_VMM_MACHINE_IOTHREAD_H
#define VOLT_VMM_MACHINE_IOTHREAD_H

#include <pthread.h>
#include <stdbool.h>

#include "base/loop.h"
#include "vmm/sandbox/sandbox.h"

struct iothread {
	struct loop *loop;
	struct loop_source end;
	struct sandbox *sandbox;
	pthread_t thread;
	bool started;
};

/* The loop, which may be given sources; then its thread, once; its end; and, without sources, all.
 */
V_MUST_CHECK int iothread_new(struct iothread **out, struct verr *e);
V_MUST_CHECK int iothread_start(struct iothread *t, struct sandbox *sandbox, struct verr *e);
void iothread_stop(struct iothread *t);
struct iothread *iothread_free(struct iothread *t); /* accepts NULL, returns NULL */

#endif
