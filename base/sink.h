/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded output that never blocks whoever writes to it: bytes go into a ring, the loop's thread
 * moves them to the descriptor as it takes them. What does not fit is dropped and counted, so a
 * reader that is slow, stopped or gone costs a fixed amount of memory and no time.
 */
#ifndef VOLT_BASE_SINK_H
#define VOLT_BASE_SINK_H

#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "base/metrics.h"

struct sink;

/*
 * `fd` must not block (sys_nonblocking()) unless it is a regular file; the sink owns it from a
 * successful return on. `capacity` in bytes.
 */
V_MUST_CHECK int sink_new(struct loop *loop, int fd, size_t capacity, struct sink **out,
			  struct verr *e);
struct sink *sink_free(struct sink *sink); /* accepts NULL, returns NULL; drops what is left */

/* Count dropped bytes in `into` (borrowed), too. Before any other thread puts anything. */
void sink_count_drops(struct sink *sink, counter *into);

/* Any thread. */
void sink_put(struct sink *sink, const void *bytes, size_t len);

/* Loop's thread: write what is left, waiting at most `milliseconds` for the reader. */
void sink_flush(struct sink *sink, int milliseconds);

/* Loop's thread: drop, and count, what no reader has taken. */
void sink_discard(struct sink *sink);

/* Bytes dropped so far; any thread. */
uint64_t sink_dropped(const struct sink *sink);

#endif
