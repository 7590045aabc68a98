/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sink.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/metrics.h"
#include "base/own.h"
#include "base/sys.h"

/*
 * So many writes a turn of the loop: whoever fills the ring as fast as it drains (a guest that
 * prints for ever on a slow terminal) must not keep the loop from everything else.
 */
#define WRITES_PER_TURN 16

/*
 * A guest's console comes byte by byte. The first wakes the loop; those that follow wait for the
 * loop to look again after so long, which saves whoever puts them a system call each.
 */
#define LINGER_US 2000

struct sink {
	int fd;
	bool pollable; /* epoll takes it; a regular file is always ready */
	bool broken;   /* the reader is gone: everything is dropped */
	counter dropped;
	counter *count_into; /* dropped bytes again, or NULL; constant once bytes are put */
	struct loop_source wake, writable, linger;
	pthread_mutex_t lock;
	/* lock: everything below */
	bool scheduled; /* the loop will look, unasked */
	size_t head, used, capacity;
	uint8_t ring[];
};

enum drain_result {
	DRAIN_IDLE,  /* there was nothing: the next byte wakes the loop */
	DRAIN_EMPTY, /* everything is written */
	DRAIN_FULL,  /* the descriptor takes no more now */
	DRAIN_MORE,  /* the turn is over, the ring not empty */
};

/* Copy up to `cap` bytes off the ring's front. If there are none and `idle`, nobody looks again. */
static size_t peek(struct sink *s, uint8_t *out, size_t cap, bool idle)
{
	size_t n, first;

	(void)pthread_mutex_lock(&s->lock);
	n = MIN(s->used, cap);
	first = MIN(n, s->capacity - s->head);
	memcpy(out, s->ring + s->head, first);
	memcpy(out + first, s->ring, n - first);
	if (n == 0 && idle)
		s->scheduled = false;
	(void)pthread_mutex_unlock(&s->lock);
	return n;
}

static void consume(struct sink *s, size_t n)
{
	(void)pthread_mutex_lock(&s->lock);
	s->head = (s->head + n) % s->capacity;
	s->used -= n;
	(void)pthread_mutex_unlock(&s->lock);
}

static void count_dropped(struct sink *s, size_t n)
{
	if (n == 0)
		return;
	counter_add(&s->dropped, n);
	if (s->count_into != NULL)
		counter_add(s->count_into, n);
}

/*
 * Write one piece. Returns how many of its bytes are dealt with, 0 when the descriptor is full.
 * A full disk costs this piece, as there may be room for the next; any other error is final.
 */
static size_t write_piece(struct sink *s, const uint8_t *piece, size_t len)
{
	ssize_t n = -1;

	while (!s->broken) {
		n = write(s->fd, piece, len);
		if (n >= 0 || errno != EINTR)
			break;
	}
	if (n > 0)
		return (size_t)n;
	if (!s->broken && (n == 0 || errno == EAGAIN))
		return 0;
	if (!s->broken)
		s->broken = errno != ENOSPC && errno != EDQUOT;
	count_dropped(s, len);
	return len;
}

static enum drain_result drain(struct sink *s)
{
	uint8_t piece[4096];
	size_t len, done;

	for (int i = 0; i < WRITES_PER_TURN; i++) {
		len = peek(s, piece, sizeof(piece), i == 0);
		if (len == 0)
			return i == 0 ? DRAIN_IDLE : DRAIN_EMPTY;
		done = write_piece(s, piece, len);
		if (done == 0)
			return DRAIN_FULL;
		consume(s, done);
	}
	return DRAIN_MORE;
}

/* Drain, and see to it that the loop comes back while there are bytes. */
static void take_turn(struct sink *s)
{
	enum drain_result result = drain(s);

	if (result == DRAIN_FULL && s->pollable)
		loop_enable(&s->writable);
	else
		loop_disable(&s->writable);
	if (result == DRAIN_MORE)
		loop_wake(&s->wake);
	else if (result == DRAIN_EMPTY)
		loop_timer_arm(&s->linger, LINGER_US);
}

static void on_turn(void *arg)
{
	take_turn(arg);
}

int sink_new(struct loop *loop, int fd, size_t capacity, struct sink **out, struct verr *e)
{
	struct stat st;
	struct sink *s;

	s = calloc(1, sizeof(*s) + capacity);
	if (s == NULL)
		return verr_host(e, "output buffer: out of memory");
	*s = (struct sink){.fd = -1,
			   .capacity = capacity,
			   .pollable = fstat(fd, &st) == 0 && !S_ISREG(st.st_mode),
			   .wake = LOOP_SOURCE_INIT,
			   .writable = LOOP_SOURCE_INIT,
			   .linger = LOOP_SOURCE_INIT};
	(void)pthread_mutex_init(&s->lock, NULL);
	if (loop_wake_init(&s->wake, loop, on_turn, s, e) < 0 ||
	    loop_timer_init(&s->linger, loop, on_turn, s, e) < 0 ||
	    loop_fd_init(&s->writable, loop, fd, LOOP_WRITE, on_turn, s, e) < 0) {
		(void)sink_free(s);
		return -1;
	}
	s->fd = fd;
	*out = s;
	return 0;
}

struct sink *sink_free(struct sink *s)
{
	if (s != NULL) {
		loop_source_deinit(&s->wake);
		loop_source_deinit(&s->writable);
		loop_source_deinit(&s->linger);
		fd_close(&s->fd);
		(void)pthread_mutex_destroy(&s->lock);
		free(s);
	}
	return NULL;
}

void sink_count_drops(struct sink *s, counter *into)
{
	s->count_into = into;
}

void sink_put(struct sink *s, const void *bytes, size_t len)
{
	size_t fits, tail, first;
	bool wake;

	if (len == 0)
		return;
	(void)pthread_mutex_lock(&s->lock);
	fits = MIN(len, s->capacity - s->used);
	tail = (s->head + s->used) % s->capacity;
	first = MIN(fits, s->capacity - tail);
	memcpy(s->ring + tail, bytes, first);
	memcpy(s->ring, (const uint8_t *)bytes + first, fits - first);
	s->used += fits;
	wake = fits > 0 && !s->scheduled;
	s->scheduled = s->scheduled || wake;
	(void)pthread_mutex_unlock(&s->lock);
	count_dropped(s, len - fits);
	if (wake)
		loop_wake(&s->wake);
}

void sink_flush(struct sink *s, int milliseconds)
{
	struct pollfd p = {.fd = s->fd, .events = POLLOUT};
	uint64_t end = sys_now_ns() + (uint64_t)milliseconds * 1000000, now;
	enum drain_result result;

	while ((result = drain(s)) != DRAIN_IDLE) {
		now = sys_now_ns();
		if (now >= end)
			break;
		if (result == DRAIN_FULL && poll(&p, 1, (int)((end - now) / 1000000) + 1) < 0 &&
		    errno != EINTR)
			break;
	}
	if (result != DRAIN_IDLE)
		loop_timer_arm(&s->linger, LINGER_US);
}

void sink_discard(struct sink *s)
{
	size_t left;

	(void)pthread_mutex_lock(&s->lock);
	left = s->used;
	s->used = 0;
	(void)pthread_mutex_unlock(&s->lock);
	count_dropped(s, left);
}

uint64_t sink_dropped(const struct sink *s)
{
	return counter_get(&s->dropped);
}
