/* SPDX-License-Identifier: Apache-2.0 */
/* volt net status: what setup has made, and whether it is still so. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "volt/net/forward.h"
#include "volt/net/links.h"
#include "volt/net/nat.h"
#include "volt/net/net.h"
#include "volt/net/networkd.h"

#define ADDRESSES_MAX 32
#define LEASES_MAX 1024

/* One bridge, as it is. */
struct state {
	const struct net_setup *setup;
	const struct links *links;
	const struct link *bridge; /* NULL: it is gone */
	bool networkd;             /* runs */
	struct prefix addresses[ADDRESSES_MAX];
	int addresses_count;
	struct lease *leases;
	size_t leases_count;
	json_t *problems; /* an array of texts */
};

static void problem(struct state *st, const char *fmt, ...) V_PRINTF(2, 3);

static void problem(struct state *st, const char *fmt, ...)
{
	char text[160];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)json_array_append_new(st->problems, json_string(text));
}

static bool has_address(const struct state *st, const struct prefix *p)
{
	for (int i = 0; i < st->addresses_count; i++)
		if (prefix_equal(&st->addresses[i], p))
			return true;
	return false;
}

static void check_address(struct state *st, const struct prefix *p)
{
	char text[PREFIX_TEXT];

	if (p->family != 0 && !has_address(st, p))
		problem(st, "%s has no address %s", st->setup->bridge, prefix_text(p, text));
}

static void check_taps(struct state *st)
{
	for (size_t i = 0; i < st->setup->taps_count; i++) {
		const char *name = st->setup->taps[i].name;
		const struct link *tap = links_find(st->links, name);

		if (tap == NULL)
			problem(st, "the TAP %s is gone", name);
		else if (tap->master != st->bridge->index)
			problem(st, "the TAP %s is not on %s", name, st->setup->bridge);
	}
}

static void check_forwarding(struct state *st)
{
	if (forward_needed4(st->setup) && !forward_is_on(FORWARD4))
		problem(st, "the kernel does not forward: /proc/sys/net/" FORWARD4 " is 0");
	if (forward_needed6(st->setup) && !forward_is_on(FORWARD6))
		problem(st, "the kernel does not forward IPv6: /proc/sys/net/" FORWARD6 " is 0");
}

/* Whoever loads a firewall anew may take masquerading away with the former one. */
static void check_masquerading(struct state *st)
{
	if (!st->setup->masquerade || !nat_has_nft() || geteuid() != 0)
		return; /* only root can see tables */
	if (st->setup->means == NET_NETLINK && !nat_has_table(st->setup))
		problem(st,
			"the nftables table inet volt_%s is gone; run: volt net setup --bridge %s",
			st->setup->bridge, st->setup->bridge);
	if (st->networkd && nat_networkd_is_empty(NULL))
		problem(st, "masquerading is gone from nftables; run: networkctl reconfigure %s",
			st->setup->bridge);
}

static void check(struct state *st)
{
	if (st->setup->means == NET_NETWORKD && !st->networkd)
		problem(st, "systemd-networkd does not run");
	if (st->bridge == NULL) {
		problem(st, "%s is gone; run: volt net setup --bridge %s", st->setup->bridge,
			st->setup->bridge);
		return;
	}
	if (!st->bridge->up)
		problem(st, "%s is down", st->setup->bridge);
	check_address(st, &st->setup->ipv4);
	check_address(st, &st->setup->ipv6);
	check_taps(st);
	check_forwarding(st);
	check_masquerading(st);
}

static int look(struct state *st, struct verr *e)
{
	st->problems = json_array();
	st->bridge = links_find(st->links, st->setup->bridge);
	st->networkd = st->setup->means == NET_NETWORKD && networkd_runs();
	st->leases = calloc(LEASES_MAX, sizeof(*st->leases));
	if (st->leases == NULL || st->problems == NULL)
		return verr_host(e, "out of memory");
	if (st->bridge != NULL) {
		st->addresses_count =
			links_addresses(st->bridge->index, st->addresses, ADDRESSES_MAX, e);
		if (st->addresses_count < 0)
			return -1;
		if (st->networkd && st->setup->dhcp)
			st->leases_count =
				networkd_leases(st->bridge->index, st->leases, LEASES_MAX);
	}
	check(st);
	return 0;
}

static bool is_port(const struct state *st, const struct link *l)
{
	return st->bridge != NULL && l->master == st->bridge->index;
}

/* --- as JSON --- */

static json_t *addresses_json(const struct state *st)
{
	json_t *all = json_array();
	char text[PREFIX_TEXT];

	for (int i = 0; i < st->addresses_count; i++)
		(void)json_array_append_new(all, json_string(prefix_text(&st->addresses[i], text)));
	return all;
}

static json_t *ports_json(const struct state *st)
{
	json_t *all = json_array();

	for (size_t i = 0; i < st->links->count; i++) {
		const struct link *l = &st->links->all[i];
		const struct net_tap *tap = net_find_tap(st->setup, l->name);

		if (is_port(st, l))
			(void)json_array_append_new(
				all, json_pack("{s:s, s:b, s:b, s:s?}", "name", l->name, "carrier",
					       (int)l->carrier, "made_by_setup", tap != NULL,
					       "owner", tap != NULL ? tap->user : NULL));
	}
	return all;
}

static json_t *leases_json(const struct state *st)
{
	json_t *all = json_array();

	for (size_t i = 0; i < st->leases_count; i++)
		(void)json_array_append_new(all, json_pack("{s:s, s:s}", "address",
							   st->leases[i].address, "mac",
							   st->leases[i].mac));
	return all;
}

static json_t *to_json(const struct state *st)
{
	const struct net_setup *s = st->setup;

	return json_pack("{s:s, s:s, s:b, s:o, s:o, s:b, s:b, s:o, s:O}", "bridge", s->bridge,
			 "means", s->means == NET_NETWORKD ? "systemd-networkd" : "netlink", "up",
			 st->bridge != NULL && st->bridge->up, "addresses", addresses_json(st),
			 "ports", ports_json(st), "masquerade", (int)s->masquerade, "dhcp",
			 (int)s->dhcp, "leases", leases_json(st), "problems", st->problems);
}

/* --- as text --- */

static void print_text(const struct state *st)
{
	const struct net_setup *s = st->setup;
	char text[PREFIX_TEXT];

	printf("%s: by %s, %s\n", s->bridge,
	       s->means == NET_NETWORKD ? "systemd-networkd" : "netlink",
	       st->bridge == NULL ? "gone"
	       : st->bridge->up   ? "up"
				  : "down");
	for (int i = 0; i < st->addresses_count; i++)
		printf("  address     %s\n", prefix_text(&st->addresses[i], text));
	printf("  masquerade  %s\n  DHCP        %s\n", s->masquerade ? "yes" : "no",
	       s->dhcp ? "yes" : "no");
	for (size_t i = 0; i < st->links->count; i++) {
		const struct link *l = &st->links->all[i];
		const struct net_tap *tap = net_find_tap(s, l->name);

		if (is_port(st, l))
			printf("  port        %s%s%s%s\n", l->name,
			       tap != NULL ? ", owned by " : "", tap != NULL ? tap->user : "",
			       l->carrier ? ", in use" : "");
	}
	for (size_t i = 0; i < st->leases_count; i++)
		printf("  lease       %s to %s\n", st->leases[i].address, st->leases[i].mac);
	for (size_t i = 0; i < json_array_size(st->problems); i++)
		printf("  PROBLEM     %s\n", json_string_value(json_array_get(st->problems, i)));
}

/* --- the verb --- */

static int print_json(json_t *all, struct verr *e)
{
	auto_free char *text = json_dumps(all, JSON_INDENT(2));

	if (text == NULL)
		return verr_host(e, "out of memory");
	puts(text);
	return 0;
}

struct report {
	struct net_setup *setups;
	size_t count;
	struct links links;
	json_t *json; /* NULL: as text */
	bool sound;
};

static int report_all(struct report *r, struct verr *e)
{
	for (size_t i = 0; i < r->count; i++) {
		struct state st = {.setup = &r->setups[i], .links = &r->links};
		int result = look(&st, e);

		if (result == 0 && r->json != NULL)
			(void)json_array_append_new(r->json, to_json(&st));
		else if (result == 0)
			print_text(&st);
		r->sound = r->sound && json_array_size(st.problems) == 0;
		json_decref(st.problems);
		free(st.leases);
		if (result < 0)
			return -1;
	}
	if (r->json != NULL)
		return print_json(r->json, e);
	if (r->count == 0)
		puts("nothing is set up; run: sudo volt net setup");
	return 0;
}

enum { JSON };

static const struct verb_option options[] = {
	[JSON] = {.name = "json", .help = "a JSON array, with an object for each bridge"},
};

static int run(const struct verb_args *args, struct verr *e)
{
	struct report r = {.links = LINKS_INIT, .sound = true};
	int result = -1;

	r.json = args->options[JSON] != NULL ? json_array() : NULL;
	if (net_find_all(&r.setups, &r.count, e) == 0 && links_read(&r.links, e) == 0)
		result = report_all(&r, e);
	links_deinit(&r.links);
	json_decref(r.json);
	free(r.setups);
	if (result < 0)
		return -1;
	return r.sound && r.count > 0 ? STATUS_OK : STATUS_FAILED;
}

const struct verb net_status_verb = {
	.name = "status",
	.summary = "tell what setup has made, and whether it is still so",
	.about = "Bridges with their addresses, ports and DHCP leases, and what is wrong with "
		 "them.\n\n"
		 "Exit status: 0 when all is as setup made it; 1 when nothing is set up or "
		 "something "
		 "is wrong.\n",
	.run = run,
	.options = options,
	.options_count = ARRAY_LEN(options),
};
