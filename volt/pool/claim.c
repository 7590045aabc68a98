/* SPDX-License-Identifier: Apache-2.0 */
/* volt pool claim: have a machine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "vmm/config/config.h"
#include "volt/pool/client.h"
#include "volt/pool/pool.h"

enum { O_SOCKET, O_ID, O_NET, O_WAIT, O_JSON };

static const struct verb_option options[] = {
	[O_SOCKET] = POOL_SOCKET_OPTION,
	[O_ID] = {.name = "id", .value = "NAME", .help = "the machine's in logs and metrics"},
	[O_NET] =
		{.name = "net",
		 .value = "KEYS",
		 .help = "as id=net0,link=on,rx-rate=10M: what is live of a NIC; may be repeated"},
	[O_WAIT] = {.name = "wait",
		    .value = "SECONDS",
		    .help = "wait so long for a machine to be ready [0]"},
	[O_JSON] = {.name = "json", .help = "print an object"},
};

/* One "KEY=VALUE" of a NIC, as the API has it. */
static int put_key(json_t *net, struct net_config *scratch, const char *text, size_t len,
		   struct verr *e)
{
	const char *equals = memchr(text, '=', len);
	size_t name = equals != NULL ? (size_t)(equals - text) : len;
	const struct setting *s = list_find(&net_class, text, name, true);
	auto_free char *value = NULL, *all = NULL;
	auto_json *values = NULL;

	if (s == NULL || equals == NULL)
		return verr_invalid(e, "%.*s: expected KEY=VALUE of a NIC; see volt-vmm --help",
				    (int)len, text);
	if (s->phase != SETTING_LIVE && strcmp(s->key, "id") != 0)
		return verr_invalid(e,
				    "%s: cannot change once the machine has started: say it to "
				    "volt pool start",
				    s->flag);
	value = strndup(equals + 1, len - name - 1);
	if (value == NULL)
		return verr_host(e, "out of memory");
	if (setting_set_text(scratch, s, value, e) < 0)
		return verr_note(e, "%s", s->flag);
	all = object_to_json(scratch, &net_class);
	values = all != NULL ? json_loads(all, 0, NULL) : NULL;
	if (json_object_set(net, s->key, json_object_get(values, s->key)) < 0)
		return verr_host(e, "out of memory");
	return 0;
}

/* No live key's value has a comma in it. */
static int add_net(json_t *nets, const char *text, struct verr *e)
{
	struct net_config scratch = {0};
	json_t *net = json_object();
	int r = 0;

	object_init(&scratch, net_class.rows, net_class.count);
	for (const char *at = text; r == 0; at++) {
		size_t len = strcspn(at, ",");

		r = put_key(net, &scratch, at, len, e);
		at += len;
		if (*at == '\0')
			break;
	}
	object_deinit(&scratch, net_class.rows, net_class.count);
	if (r == 0 && json_object_get(net, "id") == NULL)
		r = verr_invalid(e, "expected id=NAME of the NIC");
	if (json_array_append_new(nets, net) < 0 && r == 0)
		r = verr_host(e, "out of memory");
	return r < 0 ? verr_note(e, "--net %s", text) : 0;
}

static int add_wait(json_t *claim, const char *text, struct verr *e)
{
	char *end;
	double seconds = strtod(text, &end);

	if (*end != '\0' || !(seconds >= 0 && seconds * 1000 <= POOL_WAIT_MAX_MS))
		return verr_invalid(e, "--wait %s: expected seconds, 0 to %d", text,
				    POOL_WAIT_MAX_MS / 1000);
	(void)json_object_set_new(claim, "wait_ms", json_integer((json_int_t)(seconds * 1000)));
	return 0;
}

static int make_claim(const struct verb_args *args, json_t *claim, struct verr *e)
{
	json_t *nets = json_array();
	int r = 0;

	(void)json_object_set_new(claim, "nets", nets);
	for (size_t i = 0; i < args->given_count && r == 0; i++)
		if (args->given[i].row == O_NET)
			r = add_net(nets, args->given[i].value, e);
	if (args->options[O_ID] != NULL)
		(void)json_object_set_new(claim, "id", json_string(args->options[O_ID]));
	if (r == 0 && args->options[O_WAIT] != NULL)
		r = add_wait(claim, args->options[O_WAIT], e);
	return r;
}

/*
 * Who it is for knows of it before we say that it is kept: one that nobody has heard of ends with
 * this process.
 */
static int print_machine(const json_t *machine, bool json, struct verr *e)
{
	auto_free char *text =
		json ? json_dumps(machine, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;

	if (json)
		printf("%s\n", text != NULL ? text : "");
	else
		printf("%s %lld\n", json_string_value(json_object_get(machine, "socket")),
		       (long long)json_integer_value(json_object_get(machine, "pid")));
	return fflush(stdout) != 0 ? verr_os(e, "standard output") : 0;
}

static int run(const struct verb_args *args, struct verr *e)
{
	auto_json *claim = json_object(), *machine = NULL, *kept = NULL;
	auto_fd fd = -1;

	if (make_claim(args, claim, e) < 0)
		return -1;
	fd = client_connect(args->options[O_SOCKET], e);
	if (fd < 0)
		return -1;
	machine = client_ask(fd, json_pack("{s:O}", "claim", claim), "claimed", e);
	if (machine == NULL || print_machine(machine, args->options[O_JSON] != NULL, e) < 0)
		return -1;
	kept = client_ask(fd, json_pack("{s:b}", "keep", 1), "kept", e);
	return kept != NULL ? STATUS_OK : -1;
}

const struct verb pool_claim_verb = {
	.name = "claim",
	.summary = "resume a machine of a pool, and have it",
	.about = "Prints the socket of its API and its process, with a space between. The machine "
		 "goes on\n"
		 "when the pool ends; GET /v1/events of its API tells how it does itself. Whatever "
		 "comes\n"
		 "between, it is handed out once: with any exit status but 0 it is nobody's, and "
		 "ends.\n"
		 "\nExample:\n"
		 "  read -r api pid <<< \"$(volt pool claim --socket /run/web.pool --wait 2)\"\n",
	.run = run,
	.options = options,
	.options_count = ARRAY_LEN(options),
};
