/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop of one thread: descriptors, timers, and wake-ups from other threads. Everything
 * but loop_wake() belongs to the thread that runs the loop. A source is embedded in its owner,
 * holds no descriptor of its own (but a wake-up's), and may be deinitialised inside its callback.
 */
#ifndef VOLT_BASE_LOOP_H
#define VOLT_BASE_LOOP_H

#include <stdint.h>

#include "base/verr.h"

struct event;
struct loop;

enum loop_want { LOOP_READ = 1, LOOP_WRITE = 2 };

typedef void loop_fn(void *arg);

struct loop_source {
	struct event *event; /* NULL before init and after deinit */
	loop_fn *fn;
	void *arg;
	int fd; /* a wake-up's own eventfd, else -1 */
};

#define LOOP_SOURCE_INIT                \
	{                               \
		.event = NULL, .fd = -1 \
	}

V_MUST_CHECK int loop_new(struct loop **out, struct verr *e);
struct loop *loop_free(struct loop *loop); /* after its sources; accepts NULL, returns NULL */

/*
 * Run callbacks until loop_stop(), which also counts when it came before. Returns -1 only when the
 * host's epoll fails.
 */
V_MUST_CHECK int loop_run(struct loop *loop, struct verr *e);
void loop_stop(struct loop *loop);

/* Call `fn` whenever `fd` (borrowed) is ready, level-triggered. Starts disabled. */
V_MUST_CHECK int loop_fd_init(struct loop_source *s, struct loop *loop, int fd, enum loop_want want,
			      loop_fn *fn, void *arg, struct verr *e);

/*
 * Call `fn` once each time that eventfd `fd` (borrowed) is written, which nobody needs to read:
 * edge-triggered, it saves that call. Several writes may become one call. Starts disabled.
 */
V_MUST_CHECK int loop_edge_init(struct loop_source *s, struct loop *loop, int fd, loop_fn *fn,
				void *arg, struct verr *e);

/* Likewise, each time that `fd` can be written to again. */
V_MUST_CHECK int loop_edge_out_init(struct loop_source *s, struct loop *loop, int fd, loop_fn *fn,
				    void *arg, struct verr *e);

/* A timer that calls `fn` once for each loop_timer_arm(). */
V_MUST_CHECK int loop_timer_init(struct loop_source *s, struct loop *loop, loop_fn *fn, void *arg,
				 struct verr *e);
void loop_timer_arm(struct loop_source *s, uint64_t microseconds);

/* A wake-up: loop_wake() from any thread makes the loop call `fn` soon, once for many calls. */
V_MUST_CHECK int loop_wake_init(struct loop_source *s, struct loop *loop, loop_fn *fn, void *arg,
				struct verr *e);
void loop_wake(const struct loop_source *s);

void loop_enable(struct loop_source *s);
void loop_disable(struct loop_source *s);
void loop_source_deinit(struct loop_source *s); /* legal on LOOP_SOURCE_INIT and twice */

#endif
