/* SPDX-License-Identifier: Apache-2.0 */
/* A connection to the pool: lines in, lines out. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "volt/pool/daemon.h"

void conn_init(struct conn *c, struct pool *pool)
{
	*c = (struct conn){.pool = pool,
			   .fd = -1,
			   .readable = LOOP_SOURCE_INIT,
			   .writable = LOOP_SOURCE_INIT,
			   .timeout = LOOP_SOURCE_INIT,
			   .request = REQUEST_INIT};
}

void conn_close(struct conn *c)
{
	if (c->fd < 0)
		return;
	loop_source_deinit(&c->readable);
	loop_source_deinit(&c->writable);
	loop_source_deinit(&c->timeout);
	fd_close(&c->fd);
	serve_gone(c);
	daemon_listen_again(c->pool);
	request_deinit(&c->request);
	passed_close(&c->passed);
	free(c->in);
	free(c->out);
	conn_init(c, c->pool);
}

static void start_timeout(struct conn *c)
{
	loop_timer_arm(&c->timeout, POOL_TIMEOUT_MS * 1000ULL);
}

/* Between requests, where a connection may stay for as long as it likes. */
static bool at_rest(const struct conn *c)
{
	return c->in_len == 0 && c->out_len == 0;
}

static void flush(struct conn *c)
{
	while (c->out_at < c->out_len) {
		ssize_t n = send(c->fd, c->out + c->out_at, c->out_len - c->out_at,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

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
		conn_close(c);
}

void conn_answer(struct conn *c, json_t *object)
{
	auto_json *answer = object;
	char *text = answer != NULL ? json_dumps(answer, JSON_COMPACT) : NULL;

	c->busy = c->invalid = false;
	request_deinit(&c->request);
	passed_close(&c->passed);
	if (text == NULL || asprintf(&c->out, "%s\n", text) < 0) {
		free(text);
		c->out = NULL;
		conn_close(c);
		return;
	}
	free(text);
	c->out_at = 0;
	c->out_len = strlen(c->out);
	start_timeout(c);
	flush(c);
	/* What it has sent meanwhile is for the loop's next turn. */
	if (c->fd >= 0 && c->in_len > 0)
		loop_enable(&c->writable);
}

void conn_refuse(struct conn *c, const char *fmt, ...)
{
	char text[VERR_TEXT];
	va_list ap;

	va_start(ap, fmt);
	/* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): it is not */
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* "%": a text that is not UTF-8 gives no string. */
	conn_answer(c, json_pack("{s:s%,s:o*}", "fault_message", text, strlen(text), "invalid",
				 c->invalid ? json_true() : NULL));
}

/* One line after the other, while the answers are taken. */
static void parse(struct conn *c)
{
	char line[POOL_LINE_MAX];
	char *end;

	while (c->fd >= 0 && !c->busy && c->out_len == 0 &&
	       (end = memchr(c->in, '\n', c->in_len)) != NULL) {
		size_t len = (size_t)(end - c->in);

		memcpy(line, c->in, len);
		c->in_len -= len + 1;
		memmove(c->in, end + 1, c->in_len);
		c->busy = true;
		serve(c, line, len);
	}
	if (c->fd >= 0 && !c->busy && c->out_len == 0 && c->in_len == POOL_LINE_MAX) {
		c->closing = true;
		c->in_len = 0;
		conn_refuse(c, "a line is longer than %llu bytes",
			    (unsigned long long)POOL_LINE_MAX);
	}
}

/* While there is room the other side's end is noticed. */
static void after(struct conn *c)
{
	if (c->fd < 0)
		return;
	if (c->in_len < POOL_LINE_MAX)
		loop_enable(&c->readable);
	else
		loop_disable(&c->readable);
}

static void on_readable(void *arg)
{
	struct conn *c = arg;
	bool rested = at_rest(c) && !c->busy;
	ssize_t n = passed_receive(&c->passed, c->busy ? 0 : PASSED_MAX, c->fd, c->in + c->in_len,
				   POOL_LINE_MAX - c->in_len, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		conn_close(c);
		return;
	}
	if (rested)
		start_timeout(c);
	c->in_len += (size_t)n;
	parse(c);
	after(c);
}

static void on_writable(void *arg)
{
	struct conn *c = arg;

	flush(c);
	if (c->fd >= 0)
		parse(c);
	after(c);
}

/* A claim waits as long as it said; anything else that takes so long has nobody behind it. */
static void on_timeout(void *arg)
{
	struct conn *c = arg;

	if (c->waits)
		serve_lost(c, NULL);
	else if (!at_rest(c) && !c->busy)
		conn_close(c);
}

int conn_open(struct conn *c, int fd, struct verr *e)
{
	struct loop *loop = c->pool->loop;

	c->fd = fd;
	c->in = malloc(POOL_LINE_MAX);
	if (c->in == NULL)
		(void)verr_host(e, "out of memory");
	if (c->in == NULL ||
	    loop_fd_init(&c->readable, loop, fd, LOOP_READ, on_readable, c, e) < 0 ||
	    loop_fd_init(&c->writable, loop, fd, LOOP_WRITE, on_writable, c, e) < 0 ||
	    loop_timer_init(&c->timeout, loop, on_timeout, c, e) < 0) {
		conn_close(c);
		return -1;
	}
	loop_enable(&c->readable);
	return 0;
}
