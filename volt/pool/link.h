/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection to one machine's API: a request at a time, and its answer by callback. The machine
 * is trusted no more than to speak HTTP: a guest may have taken it.
 */
#ifndef VOLT_VOLT_POOL_LINK_H
#define VOLT_VOLT_POOL_LINK_H

#include <http_parser.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/loop.h"

/* What is kept of an answer's body; the rest is read and forgotten. */
#define LINK_BODY_MAX 1024

/* `status` is HTTP's; `body` is terminated. */
typedef void link_answer_fn(void *arg, unsigned status, const char *body);

struct link {
	int fd; /* -1: closed */
	struct loop_source readable;
	http_parser parser;
	char body[LINK_BODY_MAX];
	size_t len;
	bool complete, asked;
	link_answer_fn *answer; /* to what was asked */
	loop_fn *ended;         /* the connection, by the other side or by nonsense */
	void *arg;
};

#define LINK_INIT                                      \
	{                                              \
		.fd = -1, .readable = LOOP_SOURCE_INIT \
	}

/* `fd` becomes the link's, after a fault, too. `ended` may close the link. */
V_MUST_CHECK int link_init(struct link *l, struct loop *loop, int fd, loop_fn *ended, void *arg,
			   struct verr *e);
void link_deinit(struct link *l); /* legal twice */

/*
 * Ask, while nothing is being asked; `body` may be NULL. The answer comes later, and may close the
 * link or ask again. False: the machine takes nothing.
 */
V_MUST_CHECK bool link_ask(struct link *l, const char *method, const char *path, const char *body,
			   link_answer_fn *answer);

/* The same, with descriptors (borrowed) beside it. */
V_MUST_CHECK bool link_pass(struct link *l, const char *method, const char *path, const char *body,
			    const int *fds, size_t count, link_answer_fn *answer);

#endif
