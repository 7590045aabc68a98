/* SPDX-License-Identifier: Apache-2.0 */
/* volt pool status */
#include <stdio.h>

#include "base/own.h"
#include "volt/pool/client.h"
#include "volt/pool/pool.h"

enum { O_SOCKET, O_JSON };

static const struct verb_option options[] = {
	[O_SOCKET] = POOL_SOCKET_OPTION,
	[O_JSON] = {.name = "json", .help = "print an object"},
};

static long long number(const json_t *object, const char *key)
{
	return (long long)json_integer_value(json_object_get(object, key));
}

static const char *text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value != NULL ? value : "";
}

static void print_status(const json_t *status)
{
	const json_t *machines = json_object_get(status, "machines");

	printf("%lld of %lld ready, %lld starting, %lld claimed; %lld claims so far, %lld lost\n",
	       number(status, "ready"), number(status, "size"), number(status, "starting"),
	       number(status, "claimed"), number(status, "claims"), number(status, "lost"));
	if (json_object_get(status, "fault") != NULL)
		printf("no machine could be started (%lld in a row), the next is tried in %lld ms: "
		       "%s\n",
		       number(status, "failures"), number(status, "retry_ms"),
		       text(status, "fault"));
	for (size_t i = 0; i < json_array_size(machines); i++) {
		const json_t *m = json_array_get(machines, i);

		printf("%-8s %7lld  %s  %s\n", text(m, "state"), number(m, "pid"), text(m, "id"),
		       text(m, "socket"));
	}
}

static int run(const struct verb_args *args, struct verr *e)
{
	auto_fd fd = client_connect(args->options[O_SOCKET], e);
	auto_json *status = NULL;
	auto_free char *json = NULL;

	if (fd < 0)
		return -1;
	status = client_ask(fd, json_pack("{s:b}", "status", 1), "status", e);
	if (status == NULL)
		return -1;
	if (args->options[O_JSON] == NULL) {
		print_status(status);
		return STATUS_OK;
	}
	json = json_dumps(status, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	printf("%s\n", json != NULL ? json : "");
	return STATUS_OK;
}

const struct verb pool_status_verb = {
	.name = "status",
	.summary = "say which machines a pool has",
	.run = run,
	.options = options,
	.options_count = ARRAY_LEN(options),
};
