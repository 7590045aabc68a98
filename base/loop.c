/* SPDX-License-Identifier: Apache-2.0 */
#include "base/loop.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/own.h"

struct loop {
	struct event_base *base;
	bool stop; /* asked for, perhaps before loop_run() */
};

/* libevent ends the process when it gets none for itself: for epoll, and for signals a pair. */
#define LIBEVENT_FDS 4

static int check_descriptors(struct verr *e)
{
	int fds[LIBEVENT_FDS], n, r = 0;

	for (n = 0; n < LIBEVENT_FDS && r == 0; n++) {
		fds[n] = eventfd(0, EFD_CLOEXEC);
		if (fds[n] < 0)
			r = verr_os(e, "create the event loop");
	}
	while (n-- > 0)
		fd_close(&fds[n]);
	return r;
}

int loop_new(struct loop **out, struct verr *e)
{
	struct event_config *config;
	struct loop *loop;

	if (check_descriptors(e) < 0)
		return -1;
	loop = calloc(1, sizeof(*loop));
	config = event_config_new();
	if (loop != NULL && config != NULL) {
		/* One thread owns a loop; others only write eventfds. */
		(void)event_config_set_flag(config,
					    EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV);
		loop->base = event_base_new_with_config(config);
	}
	if (config != NULL)
		event_config_free(config);
	if (loop == NULL || loop->base == NULL) {
		free(loop);
		return verr_os(e, "create the event loop");
	}
	*out = loop;
	return 0;
}

struct loop *loop_free(struct loop *loop)
{
	if (loop != NULL) {
		event_base_free(loop->base);
		free(loop);
	}
	return NULL;
}

int loop_run(struct loop *loop, struct verr *e)
{
	/* libevent forgets a break that came before the loop began. */
	if (!loop->stop && event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY) < 0)
		return verr_os(e, "wait for events");
	loop->stop = false;
	return 0;
}

void loop_stop(struct loop *loop)
{
	loop->stop = true;
	(void)event_base_loopbreak(loop->base);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	struct loop_source *s = arg;

	(void)fd;
	(void)what;
	s->fn(s->arg);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct loop_source *s = arg;
	uint64_t count;

	(void)what;
	/* Clear it first: a wake-up during the callback must call it again. */
	if (read(fd, &count, sizeof(count)) == (ssize_t)sizeof(count))
		s->fn(s->arg);
}

static int source_new(struct loop_source *s, struct loop *loop, int fd, short what,
		      event_callback_fn cb, struct verr *e)
{
	s->event = event_new(loop->base, fd, what, cb, s);
	if (s->event == NULL)
		return verr_host(e, "create an event source: out of memory");
	return 0;
}

int loop_fd_init(struct loop_source *s, struct loop *loop, int fd, enum loop_want want, loop_fn *fn,
		 void *arg, struct verr *e)
{
	short what = EV_PERSIST;

	*s = (struct loop_source){.fn = fn, .arg = arg, .fd = -1};
	if (want & LOOP_READ)
		what |= EV_READ;
	if (want & LOOP_WRITE)
		what |= EV_WRITE;
	return source_new(s, loop, fd, what, on_event, e);
}

int loop_edge_init(struct loop_source *s, struct loop *loop, int fd, loop_fn *fn, void *arg,
		   struct verr *e)
{
	*s = (struct loop_source){.fn = fn, .arg = arg, .fd = -1};
	return source_new(s, loop, fd, EV_READ | EV_PERSIST | EV_ET, on_event, e);
}

int loop_edge_out_init(struct loop_source *s, struct loop *loop, int fd, loop_fn *fn, void *arg,
		       struct verr *e)
{
	*s = (struct loop_source){.fn = fn, .arg = arg, .fd = -1};
	return source_new(s, loop, fd, EV_WRITE | EV_PERSIST | EV_ET, on_event, e);
}

int loop_timer_init(struct loop_source *s, struct loop *loop, loop_fn *fn, void *arg,
		    struct verr *e)
{
	*s = (struct loop_source){.fn = fn, .arg = arg, .fd = -1};
	return source_new(s, loop, -1, 0, on_event, e);
}

void loop_timer_arm(struct loop_source *s, uint64_t microseconds)
{
	struct timeval tv = {.tv_sec = (time_t)(microseconds / 1000000),
			     .tv_usec = (suseconds_t)(microseconds % 1000000)};

	(void)event_add(s->event, &tv);
}

int loop_wake_init(struct loop_source *s, struct loop *loop, loop_fn *fn, void *arg, struct verr *e)
{
	auto_fd fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	*s = (struct loop_source){.fn = fn, .arg = arg, .fd = -1};
	if (fd < 0)
		return verr_os(e, "create an eventfd");
	if (source_new(s, loop, fd, EV_READ | EV_PERSIST, on_wake, e) < 0)
		return -1;
	s->fd = fd_take(&fd);
	loop_enable(s);
	return 0;
}

void loop_wake(const struct loop_source *s)
{
	uint64_t one = 1;
	ssize_t n;

	/* Fails only when 2^64-2 wake-ups are pending, and then one is pending. */
	n = write(s->fd, &one, sizeof(one));
	(void)n;
}

void loop_enable(struct loop_source *s)
{
	(void)event_add(s->event, NULL);
}

void loop_disable(struct loop_source *s)
{
	(void)event_del(s->event);
}

void loop_source_deinit(struct loop_source *s)
{
	if (s->event != NULL)
		event_free(s->event);
	s->event = NULL;
	fd_close(&s->fd);
}
