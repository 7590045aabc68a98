/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/pool/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/own.h"
#include "base/passed.h"
#include "volt/unix.h"

int client_connect(const char *path, struct verr *e)
{
	if (path == NULL)
		return verr_invalid(e, "--socket: missing; expected the path of a pool's socket");
	return unix_connect(path, "pool", "the pool's socket", e);
}

static int send_line(int fd, json_t *request, const int *fds, size_t count, struct verr *e)
{
	auto_json *owned = request;
	auto_free char *text = owned != NULL ? json_dumps(owned, JSON_COMPACT) : NULL;
	size_t len, at = 0;

	if (text == NULL)
		return verr_host(e, "out of memory");
	len = strlen(text);
	text[len++] = '\n'; /* in the terminator's place */
	while (at < len) {
		ssize_t n = passed_send(fd, text + at, len - at, MSG_NOSIGNAL, fds,
					at == 0 ? count : 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return verr_os(e, "send the request");
		at += (size_t)n;
	}
	return 0;
}

/* There is one answer to one request, so nothing follows the line. */
static char *receive_line(int fd, struct verr *e)
{
	size_t len = 0, size = 0;
	char *text = NULL;

	for (;;) {
		ssize_t n;

		if (len + 1 >= size) {
			char *more = realloc(text, size = size * 2 + 4096);

			if (more == NULL)
				break;
			text = more;
		}
		n = recv(fd, text + len, size - len - 1, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != ECONNRESET) {
			(void)verr_os(e, "receive the answer");
			break;
		}
		if (n <= 0) {
			(void)verr_host(e, "the pool has ended");
			break;
		}
		len += (size_t)n;
		text[len] = '\0';
		if (text[len - 1] == '\n')
			return text;
	}
	(void)verr_host(e, "out of memory");
	free(text);
	return NULL;
}

json_t *client_ask(int fd, json_t *request, const char *key, struct verr *e)
{
	return client_pass(fd, request, NULL, 0, key, e);
}

json_t *client_pass(int fd, json_t *request, const int *fds, size_t count, const char *key,
		    struct verr *e)
{
	bool sent = send_line(fd, request, fds, count, e) == 0;
	auto_free char *line = sent ? receive_line(fd, e) : NULL;
	auto_json *answer = line != NULL ? json_loads(line, 0, NULL) : NULL;
	const char *fault = json_string_value(json_object_get(answer, "fault_message"));
	json_t *value = json_object_get(answer, key);

	if (line == NULL)
		return NULL;
	if (fault != NULL && json_is_true(json_object_get(answer, "invalid")))
		(void)verr_invalid(e, "%s", fault);
	else if (fault != NULL)
		(void)verr_host(e, "%s", fault);
	else if (value == NULL)
		(void)verr_host(e, "the answer is no pool's: %.80s", line);
	return fault == NULL && value != NULL ? json_incref(value) : NULL;
}
