/* SPDX-License-Identifier: Apache-2.0 */
/* A connection: bytes in, requests, replies, bytes out. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/own.h"
#include "vmm/api/conn.h"

/* --- out --- */

void conn_init(struct conn *c, struct api *api)
{
	*c = (struct conn){.api = api,
			   .fd = -1,
			   .readable = LOOP_SOURCE_INIT,
			   .writable = LOOP_SOURCE_INIT,
			   .timeout = LOOP_SOURCE_INIT};
}

void conn_close(struct conn *c)
{
	bool held = c->holds;

	loop_source_deinit(&c->readable);
	loop_source_deinit(&c->writable);
	loop_source_deinit(&c->timeout);
	http_end(&c->http);
	free(c->out);
	fd_close(&c->fd);
	conn_init(c, c->api);
	if (held) {
		log_info(LOG_API, "who held the machine has gone");
		end_machine(c->api);
	}
}

/*
 * The last reply is sent. What the client still says is read and forgotten until it closes, too,
 * for to close a socket with unread bytes takes the reply back.
 */
static void start_draining(struct conn *c)
{
	c->closing = false;
	c->draining = true;
	(void)shutdown(c->fd, SHUT_WR);
	loop_timer_arm(&c->timeout, API_TIMEOUT_MS * 1000ULL);
}

void conn_flush(struct conn *c)
{
	ssize_t n;

	while (c->out_at < c->out_len) {
		n = passed_send(c->fd, c->out + c->out_at, c->out_len - c->out_at,
				MSG_NOSIGNAL | MSG_DONTWAIT, NULL, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			loop_enable(&c->writable);
			return;
		}
		if (n <= 0) {
			conn_close(c);
			return;
		}
		c->out_at += (size_t)n;
	}
	loop_disable(&c->writable);
	free(ptr_take(c->out));
	c->out_at = c->out_len = 0;
	if (c->closing)
		start_draining(c);
}

bool conn_put(struct conn *c, const void *bytes, size_t len)
{
	char *more;

	if (c->out_at > 0)
		memmove(c->out, c->out + c->out_at, c->out_len - c->out_at);
	c->out_len -= c->out_at;
	c->out_at = 0;
	more = realloc(c->out, c->out_len + len);
	if (more == NULL) {
		conn_close(c);
		return false;
	}
	c->out = more;
	memcpy(c->out + c->out_len, bytes, len);
	c->out_len += len;
	return true;
}

static void put_reply(struct conn *c, const struct reply *r, bool keep)
{
	const struct api_personality *p = c->api->personality;
	char head[512];
	int len = snprintf(head, sizeof(head), "HTTP/1.1 %d %s\r\nServer: %s\r\nConnection: %s\r\n",
			   r->status, p->no_reasons ? "" : http_reason(r->status), p->server,
			   keep ? "keep-alive" : "close");

	if (r->deprecated)
		len += snprintf(head + len, sizeof(head) - (size_t)len, "Deprecation: true\r\n");
	if (*r->allow != '\0')
		len += snprintf(head + len, sizeof(head) - (size_t)len, "Allow: %s\r\n", r->allow);
	if (r->type != NULL)
		len += snprintf(head + len, sizeof(head) - (size_t)len, "Content-Type: %s\r\n",
				r->type);
	if (!r->stream && r->status != 204)
		len += snprintf(head + len, sizeof(head) - (size_t)len, "Content-Length: %zu\r\n",
				r->len);
	len += snprintf(head + len, sizeof(head) - (size_t)len, "\r\n");
	if (conn_put(c, head, (size_t)len) && r->body != NULL && !r->bare)
		(void)conn_put(c, r->body, r->len);
}

/* --- in --- */

/* From a request's first byte, or the end of the one before, until its reply is taken. */
static void start_timeout(struct conn *c)
{
	loop_timer_arm(&c->timeout, API_TIMEOUT_MS * 1000ULL);
}

/* Between requests, where a connection may stay for as long as it likes. */
static bool at_rest(const struct conn *c)
{
	return c->in_at == c->in_len && c->out_len == 0 && c->http.parser.nread == 0 &&
	       c->http.body == NULL;
}

/* Send the reply and be ready for the next request. */
static void finish(struct conn *c, struct reply *reply)
{
	bool keep = http_keeps_alive(&c->http) && !reply->stream;

	reply->bare = c->http.parser.method == HTTP_HEAD;
	c->closing = !keep && !reply->stream;
	put_reply(c, reply, keep);
	free(ptr_take(reply->body));
	if (c->fd < 0)
		return;
	http_begin(&c->http, c->api->personality->body_max);
	start_timeout(c);
	if (reply->stream)
		events_subscribe(c);
	if (c->fd >= 0)
		conn_flush(c);
}

/* How many descriptors a request may bring. */
static size_t most_now(const struct api *api)
{
	return api->machine == NULL ? 0 : most_descriptors(api->personality, api->config);
}

static void refuse_descriptors(const struct api *api, struct reply *reply)
{
	size_t most = most_now(api);

	if (most == 0)
		reply_fault(reply, 400,
			    "descriptors came with it: only PATCH /v1/vm/nets/ID of a machine that "
			    "has started takes any, where a NIC is on a TAP device or macvtap");
	else
		reply_fault(reply, 400,
			    "more descriptors came than there is room for: at most %zu, one for "
			    "each pair of queues (queues=%zu), in one message, and from one "
			    "connection at a time",
			    most, most);
}

static void answer(struct conn *c)
{
	struct reply reply = {.status = 500};

	if (c->http.passed.cut)
		refuse_descriptors(c->api, &reply);
	else
		c->api->personality->route(c->api, &c->http, &reply);
	c->waiting = reply.later;
	if (!reply.later)
		finish(c, &reply);
}

static void refuse(struct conn *c)
{
	const struct api_personality *p = c->api->personality;
	int status = p->refusal != NULL ? p->refusal(c->http.status) : c->http.status;
	struct reply reply = {0};

	reply_fault(&reply, status, "%s", c->http.why);
	c->closing = true;
	put_reply(c, &reply, false);
	free(reply.body);
	http_end(&c->http);
	if (c->fd >= 0)
		conn_flush(c);
}

/* Parse what was read; a reply that is not taken yet ends the turn. */
static void parse(struct conn *c)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	enum http_result result;

	while (c->fd >= 0 && c->in_at < c->in_len && c->out_len == 0 && !c->subscribed &&
	       !c->waiting && !c->draining) {
		c->in_at += http_feed(&c->http, c->in + c->in_at, c->in_len - c->in_at, &result);
		if (result == HTTP_READY)
			answer(c);
		else if (result == HTTP_BAD)
			refuse(c);
		else if (result == HTTP_CONTINUE && conn_put(c, go_on, sizeof(go_on) - 1))
			conn_flush(c);
	}
}

static void after(struct conn *c)
{
	if (c->fd < 0)
		return;
	if ((c->out_len > 0 && !c->subscribed) || c->waiting)
		loop_disable(&c->readable);
	else
		loop_enable(&c->readable);
}

/* While no other request has brought some. */
static size_t room_for_descriptors(const struct conn *c)
{
	for (size_t i = 0; i < API_CONNECTIONS; i++)
		if (c->api->conns[i].http.passed.count > 0)
			return 0;
	return c->subscribed || c->draining ? 0 : most_now(c->api);
}

static void on_readable(void *arg)
{
	struct conn *c = arg;
	ssize_t n;

	if (c->in_at == c->in_len || c->subscribed || c->draining)
		c->in_at = c->in_len = 0;
	n = passed_receive(&c->http.passed, room_for_descriptors(c), c->fd, c->in + c->in_len,
			   sizeof(c->in) - c->in_len, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		conn_close(c);
		return;
	}
	if (at_rest(c))
		start_timeout(c);
	c->in_len += (size_t)n;
	parse(c);
	after(c);
}

static void on_writable(void *arg)
{
	struct conn *c = arg;

	conn_flush(c);
	if (c->fd >= 0)
		parse(c);
	after(c);
}

static void on_timeout(void *arg)
{
	struct conn *c = arg;

	if (c->draining || (!at_rest(c) && !c->subscribed && !c->waiting))
		conn_close(c);
}

int conn_open(struct conn *c, int fd, struct verr *e)
{
	struct loop *loop = c->api->loop;

	c->fd = fd;
	http_begin(&c->http, c->api->personality->body_max);
	if (loop_fd_init(&c->readable, loop, fd, LOOP_READ, on_readable, c, e) < 0 ||
	    loop_fd_init(&c->writable, loop, fd, LOOP_WRITE, on_writable, c, e) < 0 ||
	    loop_timer_init(&c->timeout, loop, on_timeout, c, e) < 0) {
		conn_close(c);
		return -1;
	}
	loop_enable(&c->readable);
	return 0;
}

void conns_answer_start(struct api *api, const struct verr *fault)
{
	api->wish = API_WISH_NOTHING;
	for (size_t i = 0; i < API_CONNECTIONS; i++) {
		struct conn *c = &api->conns[i];
		struct reply reply = {0};

		if (!c->waiting)
			continue;
		c->waiting = false;
		if (fault != NULL)
			reply_verr(&reply, 400, fault);
		else
			api->personality->started(api, &reply);
		finish(c, &reply);
		/* What it has sent meanwhile is for the loop's next turn. */
		if (c->fd >= 0)
			loop_enable(&c->writable);
	}
}

void conns_answer_snapshot(struct api *api, struct reply *reply)
{
	for (size_t i = 0; i < API_CONNECTIONS; i++) {
		struct conn *c = &api->conns[i];

		if (!c->waiting)
			continue;
		c->waiting = false;
		finish(c, reply);
		if (c->fd >= 0)
			loop_enable(&c->writable);
		return;
	}
	free(ptr_take(reply->body));
}
