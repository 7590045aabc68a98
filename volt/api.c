/* SPDX-License-Identifier: Apache-2.0 */
/* volt api: one request to a volt-vmm, for scripts. */
#include <ctype.h>
#include <errno.h>
#include <http_parser.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/own.h"
#include "volt/api.h"
#include "volt/unix.h"

/* A reply as it comes. The body of a fault is kept, that of an answer goes to stdout at once,
 * unless it is to be kept, too. */
struct answer {
	http_parser parser;
	char *kept;
	size_t kept_len;
	FILE *keep;
	bool complete, keep_all;
};

static int send_all(int fd, const char *bytes, size_t len, struct verr *e)
{
	while (len > 0) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return verr_os(e, "send the request");
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

static int send_request(int fd, const char *method, const char *path, const char *body,
			struct verr *e)
{
	auto_free char *text = NULL;
	size_t body_len = body != NULL ? strlen(body) : 0;
	int len =
		body != NULL
			? asprintf(
				  &text,
				  "%s %s HTTP/1.1\r\nHost: volt\r\nConnection: close\r\n"
				  "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
				  method, path, body_len, body)
			: asprintf(&text,
				   "%s %s HTTP/1.1\r\nHost: volt\r\nConnection: close\r\n\r\n",
				   method, path);

	if (len < 0)
		return verr_host(e, "out of memory");
	return send_all(fd, text, (size_t)len, e);
}

static bool succeeded(const struct answer *a)
{
	return a->parser.status_code / 100 == 2;
}

static int on_body(http_parser *parser, const char *at, size_t len)
{
	struct answer *a = parser->data;
	FILE *out = succeeded(a) && !a->keep_all ? stdout : a->keep;

	if (fwrite(at, 1, len, out) != len)
		return -1;
	/* Whoever reads events wants them when they come. */
	return out == stdout ? fflush(stdout) : 0;
}

static int on_complete(http_parser *parser)
{
	((struct answer *)parser->data)->complete = true;
	return 0;
}

static int receive(int fd, struct answer *a, struct verr *e)
{
	static const http_parser_settings callbacks = {.on_body = on_body,
						       .on_message_complete = on_complete};
	char buffer[4096];
	ssize_t n;

	http_parser_init(&a->parser, HTTP_RESPONSE);
	a->parser.data = a;
	do {
		n = recv(fd, buffer, sizeof(buffer), 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return verr_os(e, "receive the answer");
		(void)http_parser_execute(&a->parser, &callbacks, buffer, (size_t)n);
		if (ferror(stdout))
			return verr_os(e, "write the answer");
		if (HTTP_PARSER_ERRNO(&a->parser) != HPE_OK)
			return verr_host(e, "the answer is no HTTP: %s",
					 http_errno_description(HTTP_PARSER_ERRNO(&a->parser)));
	} while (n > 0 && !a->complete);
	return a->complete ? 0 : verr_host(e, "the connection ended before the answer did");
}

/* What the other side says is wrong, as a fault of ours. */
static int raise_fault(const struct answer *a, struct verr *e)
{
	json_t *root = a->kept != NULL ? json_loadb(a->kept, a->kept_len, 0, NULL) : NULL;
	const char *text = json_string_value(json_object_get(root, "fault_message"));

	(void)verr_host(e, "%s (status %u)", text != NULL ? text : "refused",
			a->parser.status_code);
	json_decref(root);
	return -1;
}

static int talk(int fd, struct answer *a, struct verr *e)
{
	int r;

	a->keep = open_memstream(&a->kept, &a->kept_len);
	if (a->keep == NULL)
		return verr_host(e, "out of memory");
	r = receive(fd, a, e);
	(void)fclose(a->keep);
	return r == 0 && !succeeded(a) ? raise_fault(a, e) : r;
}

static int ask(const char *socket, const char *method, const char *path, const char *body,
	       struct answer *a, struct verr *e)
{
	auto_fd fd = unix_connect(socket, "volt-vmm", "the path of --api-socket", e);

	return fd < 0 || send_request(fd, method, path, body, e) < 0 || talk(fd, a, e) < 0 ? -1 : 0;
}

int api_ask(const char *socket, const char *method, const char *path, const char *body,
	    struct verr *e)
{
	struct answer answer = {.complete = false};
	int r = ask(socket, method, path, body, &answer, e);

	free(answer.kept);
	return r;
}

int api_fetch(const char *socket, const char *method, const char *path, const char *body,
	      char **out, struct verr *e)
{
	struct answer answer = {.keep_all = true};
	int r = ask(socket, method, path, body, &answer, e);

	if (r < 0)
		free(ptr_take(answer.kept));
	*out = answer.kept;
	return r;
}

static int run(const struct verb_args *args, struct verr *e)
{
	const char *body = args->count > 3 ? args->operands[3] : NULL;
	char method[16] = "";

	for (size_t i = 0; i + 1 < sizeof(method) && args->operands[1][i] != '\0'; i++)
		method[i] = (char)toupper((unsigned char)args->operands[1][i]);
	if (args->operands[2][0] != '/')
		return verr_invalid(e, "%s: a path begins with /", args->operands[2]);
	if (api_ask(args->operands[0], method, args->operands[2], body, e) < 0)
		return -1;
	return STATUS_OK;
}

const struct verb api_verb = {
	.name = "api",
	.summary = "send a request to a volt-vmm and print the answer",
	.about = "SOCKET is the path of its --api-socket. The answer's body goes to stdout; a "
		 "refusal is\n"
		 "a line on stderr, and exit status 1. docs/api.md has the requests, volt openapi "
		 "their\n"
		 "description for programs.\n"
		 "\nExamples:\n"
		 "  volt api /run/vm.sock GET /v1/vm/state\n"
		 "  volt api /run/vm.sock PUT /v1/vm/state '{\"action\": \"pause\"}'\n"
		 "  volt api /run/vm.sock GET /v1/events\n",
	.run = run,
	.operands = "SOCKET METHOD PATH [BODY]",
	.operands_min = 3,
	.operands_max = 4,
};
