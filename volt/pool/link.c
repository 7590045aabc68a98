/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/pool/link.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/own.h"
#include "base/passed.h"

static int on_body(http_parser *parser, const char *at, size_t len)
{
	struct link *l = parser->data;
	size_t room = sizeof(l->body) - 1 - l->len;

	len = MIN(len, room);
	memcpy(l->body + l->len, at, len);
	l->len += len;
	return 0;
}

static int on_complete(http_parser *parser)
{
	((struct link *)parser->data)->complete = true;
	http_parser_pause(parser, 1);
	return 0;
}

/* The callback may close or reuse the link: nothing of it is touched afterwards. */
static void give_answer(struct link *l)
{
	unsigned status = l->parser.status_code;
	char body[LINK_BODY_MAX];

	memcpy(body, l->body, l->len);
	body[l->len] = '\0';
	l->asked = false;
	l->answer(l->arg, status, body);
}

/* Bytes that nobody asked for are as wrong as those that are no HTTP. */
static void on_readable(void *arg)
{
	static const http_parser_settings callbacks = {.on_body = on_body,
						       .on_message_complete = on_complete};
	struct link *l = arg;
	char bytes[4096];
	ssize_t n = recv(l->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	size_t taken;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || !l->asked) {
		l->ended(l->arg);
		return;
	}
	taken = http_parser_execute(&l->parser, &callbacks, bytes, (size_t)n);
	if (l->complete && taken == (size_t)n)
		give_answer(l);
	else if (l->complete || HTTP_PARSER_ERRNO(&l->parser) != HPE_OK)
		l->ended(l->arg);
}

int link_init(struct link *l, struct loop *loop, int fd, loop_fn *ended, void *arg, struct verr *e)
{
	*l = (struct link){.fd = fd, .readable = LOOP_SOURCE_INIT, .ended = ended, .arg = arg};
	if (loop_fd_init(&l->readable, loop, fd, LOOP_READ, on_readable, l, e) < 0) {
		link_deinit(l);
		return -1;
	}
	loop_enable(&l->readable);
	return 0;
}

void link_deinit(struct link *l)
{
	loop_source_deinit(&l->readable);
	fd_close(&l->fd);
	l->asked = false;
}

bool link_ask(struct link *l, const char *method, const char *path, const char *body,
	      link_answer_fn *answer)
{
	return link_pass(l, method, path, body, NULL, 0, answer);
}

bool link_pass(struct link *l, const char *method, const char *path, const char *body,
	       const int *fds, size_t count, link_answer_fn *answer)
{
	auto_free char *text = NULL;
	int len;

	if (l->fd < 0 || l->asked)
		return false;
	body = body != NULL ? body : "";
	len = *body != '\0'
		      ? asprintf(
				&text,
				"%s %s HTTP/1.1\r\nHost: volt\r\nContent-Type: application/json\r\n"
				"Content-Length: %zu\r\n\r\n%s",
				method, path, strlen(body), body)
		      : asprintf(&text, "%s %s HTTP/1.1\r\nHost: volt\r\n\r\n", method, path);
	if (len < 0)
		return false;
	http_parser_init(&l->parser, HTTP_RESPONSE);
	l->parser.data = l;
	l->len = 0;
	l->complete = false;
	l->answer = answer;
	/* A few KiB at most, into an empty buffer. */
	l->asked = passed_send(l->fd, text, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT, fds, count) ==
		   len;
	return l->asked;
}
