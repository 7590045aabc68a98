/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP/1 request from bytes as they come, in bounded memory: the head is parsed by http-parser,
 * and what a request may be is decided here. Nothing of it blocks or allocates but the body.
 */
#ifndef VOLT_VMM_API_HTTP_H
#define VOLT_VMM_API_HTTP_H

#include <http_parser.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/passed.h"

#define HTTP_HEAD_MAX KIB(8)
#define HTTP_PATH_MAX 256
#define HTTP_BODY_MAX KIB(50) /* where nobody says otherwise */

enum http_result {
	HTTP_MORE,     /* the request goes on */
	HTTP_CONTINUE, /* it does, and the client waits to hear that its body is wanted */
	HTTP_READY,    /* it is complete */
	HTTP_BAD, /* `status` and `why` say how to answer; the connection is of no use any more */
};

struct http {
	http_parser parser;
	char path[HTTP_PATH_MAX]; /* terminated; without a query */
	size_t path_len;
	char *body; /* `body_len` bytes of `body_size`; NULL without one */
	size_t body_len, body_size, body_max;
	struct passed passed; /* descriptors that came with its bytes */
	char header[16];      /* the name that comes before the next value, as far as it matters */
	size_t header_len;
	bool in_value, expects, complete;
	int status;
	const char *why;
	char why_text[64]; /* where `why` is not a constant */
};

/*
 * Before the first request of a connection, and after each. Frees what the last one had. A body
 * may have `body_max` bytes.
 */
void http_begin(struct http *h, size_t body_max);
void http_end(struct http *h);

/*
 * Take bytes; returns how many were taken, which is all of them but those after a complete request.
 */
size_t http_feed(struct http *h, const char *bytes, size_t len, enum http_result *result);

static inline const char *http_method(const struct http *h)
{
	return http_method_str((enum http_method)h->parser.method);
}

/* May the connection serve another request? */
static inline bool http_keeps_alive(const struct http *h)
{
	return http_should_keep_alive(&h->parser) != 0;
}

/* "Not Found" */
const char *http_reason(int status);

#endif
