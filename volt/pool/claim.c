/* SPDX-License-Identifier: Apache-2.0 */
/* volt pool claim: have a machine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/passed.h"
#include "vmm/config/config.h"
#include "vmm/devices/net/tap.h"
#include "volt/pool/client.h"
#include "volt/pool/pool.h"

enum { O_SOCKET, O_ID, O_NET, O_WAIT, O_JSON };

static const struct verb_option options[] = {
	[O_SOCKET] = POOL_SOCKET_OPTION,
	[O_ID] = {.name = "id", .value = "NAME", .help = "the machine's in logs and metrics"},
	[O_NET] =
		{.name = "net",
		 .value = "KEYS",
		 .help = "as id=net0,tap=web7,rx-rate=10M: what is live of a NIC; may be repeated"},
	[O_WAIT] = {.name = "wait",
		    .value = "SECONDS",
		    .help = "wait so long for a machine to be ready [0]"},
	[O_JSON] = {.name = "json", .help = "print an object"},
};

/* TAP devices and macvtaps for the machine, which are open here until it has them. */
struct taps {
	struct net_backend *at[PASSED_MAX];
	size_t count;
	int fds[PASSED_MAX]; /* all of theirs, in their order */
	size_t nfds;
};

static void close_taps(struct taps *t)
{
	for (size_t i = 0; i < t->count; i++)
		t->at[i] = net_backend_free(t->at[i]);
	t->count = t->nfds = 0;
}

/* What only opening it needs to know. */
static bool is_of_opening(const struct setting *s)
{
	return strcmp(s->key, "bridge") == 0 || strcmp(s->key, "mtu") == 0 ||
	       strcmp(s->key, "queues") == 0;
}

/* As volt-vmm would: the machine itself can open none any more. */
static int open_tap(struct taps *t, const struct net_config *c, struct verr *e)
{
	const struct tap_options o = {
		.name = c->tap, .bridge = c->bridge, .mtu = c->mtu, .pairs = (uint16_t)c->queues};
	bool macvtap = tap_is_of_macvtap(&o);
	struct net_backend *b = NULL;

	if (t->nfds + c->queues > PASSED_MAX)
		return verr_invalid(e, "expected at most %d queues in one claim", PASSED_MAX);
	if (macvtap && c->bridge != NULL)
		return verr_invalid(e, "bridge: %s is a macvtap, which can be no port", c->tap);
	if ((macvtap ? macvtap_new : tap_new)(&o, &b, e) < 0)
		return -1;
	t->at[t->count++] = b;
	memcpy(t->fds + t->nfds, b->fds, b->pairs * sizeof(b->fds[0]));
	t->nfds += b->pairs;
	return 0;
}

/* With the keys of one NIC read. */
static int add_tap(struct taps *t, json_t *net, const struct net_config *c, struct verr *e)
{
	if (c->tap == NULL && (c->bridge != NULL || c->mtu != 0 || c->queues != 1))
		return verr_invalid(e, "bridge, mtu and queues are a TAP device's: expected tap=");
	if (c->tap == NULL)
		return 0;
	(void)json_object_set_new(net, "fds", json_integer((json_int_t)c->queues));
	return open_tap(t, c, e);
}

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
	if (s->phase != SETTING_LIVE && strcmp(s->key, "id") != 0 && !is_of_opening(s))
		return verr_invalid(e,
				    "%s: cannot change once the machine has started: say it to "
				    "volt pool start",
				    s->flag);
	value = strndup(equals + 1, len - name - 1);
	if (value == NULL)
		return verr_host(e, "out of memory");
	if (setting_set_text(scratch, s, value, e) < 0)
		return verr_note(e, "%s", s->flag);
	if (is_of_opening(s))
		return 0;
	all = object_to_json(scratch, &net_class);
	values = all != NULL ? json_loads(all, 0, NULL) : NULL;
	if (json_object_set(net, s->key, json_object_get(values, s->key)) < 0)
		return verr_host(e, "out of memory");
	return 0;
}

/* No live key's value has a comma in it. */
static int add_net(json_t *nets, struct taps *taps, const char *text, struct verr *e)
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
	if (r == 0 && json_object_get(net, "id") == NULL)
		r = verr_invalid(e, "expected id=NAME of the NIC");
	if (r == 0)
		r = add_tap(taps, net, &scratch, e);
	object_deinit(&scratch, net_class.rows, net_class.count);
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

static int make_claim(const struct verb_args *args, json_t *claim, struct taps *taps,
		      struct verr *e)
{
	json_t *nets = json_array();
	int r = 0;

	(void)json_object_set_new(claim, "nets", nets);
	for (size_t i = 0; i < args->given_count && r == 0; i++)
		if (args->given[i].row == O_NET)
			r = add_net(nets, taps, args->given[i].value, e);
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
	struct taps taps = {.count = 0};
	auto_fd fd = -1;

	if (make_claim(args, claim, &taps, e) == 0)
		fd = client_connect(args->options[O_SOCKET], e);
	if (fd >= 0)
		machine = client_pass(fd, json_pack("{s:O}", "claim", claim), taps.fds, taps.nfds,
				      "claimed", e);
	close_taps(&taps);
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
		 "\nA NIC's tap=NAME is opened here, with the rights and in the network namespace "
		 "of "
		 "this\n"
		 "command, and passed on; bridge=, mtu= and queues= are as of volt-vmm.\n"
		 "\nExample:\n"
		 "  read -r api pid <<< \"$(volt pool claim --socket /run/web.pool --wait 2)\"\n",
	.run = run,
	.options = options,
	.options_count = ARRAY_LEN(options),
};
