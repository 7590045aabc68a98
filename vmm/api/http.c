/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/api/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/own.h"

#define EXPECT "expect"

static int refuse(struct http *h, int status, const char *why)
{
	h->status = status;
	h->why = why;
	return -1;
}

/* The path ends at the query, which no route looks at. */
static int on_url(http_parser *parser, const char *at, size_t len)
{
	struct http *h = parser->data;

	if (len >= sizeof(h->path) - h->path_len)
		return refuse(h, 414, "the path is too long");
	memcpy(h->path + h->path_len, at, len);
	h->path_len += len;
	h->path[h->path_len] = '\0';
	return 0;
}

static int on_header_field(http_parser *parser, const char *at, size_t len)
{
	struct http *h = parser->data;

	if (h->in_value)
		h->header_len = 0;
	h->in_value = false;
	/* A name that is longer than all that matter is none of them. */
	if (len >= sizeof(h->header) - h->header_len)
		len = sizeof(h->header) - h->header_len - 1;
	memcpy(h->header + h->header_len, at, len);
	h->header_len += len;
	h->header[h->header_len] = '\0';
	return 0;
}

static int on_header_value(http_parser *parser, const char *at, size_t len)
{
	struct http *h = parser->data;

	(void)at;
	(void)len;
	if (!h->in_value && strcasecmp(h->header, EXPECT) == 0)
		h->expects = true;
	h->in_value = true;
	return 0;
}

static int on_headers_complete(http_parser *parser)
{
	struct http *h = parser->data;
	bool has_length = (parser->flags & F_CONTENTLENGTH) != 0;

	h->path[strcspn(h->path, "?#")] = '\0';
	if (parser->http_major != 1)
		return refuse(h, 400, "the protocol is not HTTP/1.0 or HTTP/1.1");
	if (parser->flags & F_CHUNKED)
		return refuse(h, 411, "a body needs a Content-Length");
	if (!has_length || parser->content_length == 0)
		return 0;
	if (parser->content_length > h->body_max) {
		(void)snprintf(h->why_text, sizeof(h->why_text),
			       "the body is larger than %zu bytes", h->body_max);
		return refuse(h, 413, h->why_text);
	}
	h->body_size = (size_t)parser->content_length;
	h->body = malloc(h->body_size);
	return h->body == NULL ? refuse(h, 503, "out of memory") : 0;
}

static int on_body(http_parser *parser, const char *at, size_t len)
{
	struct http *h = parser->data;

	if (len > h->body_size - h->body_len)
		return refuse(h, 400, "the body is longer than it said");
	memcpy(h->body + h->body_len, at, len);
	h->body_len += len;
	return 0;
}

/* What follows belongs to the next request. */
static int on_message_complete(http_parser *parser)
{
	struct http *h = parser->data;

	h->complete = true;
	http_parser_pause(parser, 1);
	return 0;
}

static const http_parser_settings callbacks = {
	.on_url = on_url,
	.on_header_field = on_header_field,
	.on_header_value = on_header_value,
	.on_headers_complete = on_headers_complete,
	.on_body = on_body,
	.on_message_complete = on_message_complete,
};

void http_end(struct http *h)
{
	free(ptr_take(h->body));
	passed_close(&h->passed);
}

void http_begin(struct http *h, size_t body_max)
{
	http_end(h);
	*h = (struct http){.body_max = body_max};
	http_parser_init(&h->parser, HTTP_REQUEST);
	h->parser.data = h;
}

size_t http_feed(struct http *h, const char *bytes, size_t len, enum http_result *result)
{
	size_t used;

	http_parser_set_max_header_size(HTTP_HEAD_MAX);
	used = http_parser_execute(&h->parser, &callbacks, bytes, len);
	if (h->complete) {
		*result = HTTP_READY;
		return used;
	}
	if (HTTP_PARSER_ERRNO(&h->parser) == HPE_HEADER_OVERFLOW)
		(void)refuse(h, 431, "the head is longer than 8192 bytes");
	else if (HTTP_PARSER_ERRNO(&h->parser) != HPE_OK && h->status == 0)
		(void)refuse(h, 400, http_errno_description(HTTP_PARSER_ERRNO(&h->parser)));
	else if (h->parser.upgrade)
		(void)refuse(h, 400, "there is nothing to upgrade to");
	*result = h->status != 0 ? HTTP_BAD : HTTP_MORE;
	if (*result == HTTP_MORE && h->expects && h->body != NULL && h->body_len == 0) {
		h->expects = false;
		*result = HTTP_CONTINUE;
	}
	return used;
}

const char *http_reason(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {
		{100, "Continue"},
		{200, "OK"},
		{204, "No Content"},
		{400, "Bad Request"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{409, "Conflict"},
		{411, "Length Required"},
		{413, "Payload Too Large"},
		{414, "URI Too Long"},
		{431, "Request Header Fields Too Large"},
		{500, "Internal Server Error"},
		{503, "Service Unavailable"},
	};

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}
