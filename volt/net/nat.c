/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/net/nat.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/own.h"
#include "volt/net/forward.h"
#include "volt/net/networkd.h"
#include "volt/net/plan.h"
#include "volt/program.h"

#define NETWORKD_TABLE "io.systemd.nat"
#define LIST_BYTES KIB(64)

static const char *const families[] = {"ip", "ip6"};

bool nat_has_nft(void)
{
	char path[PATH_MAX];

	return program_find("nft", path, sizeof(path));
}

/* nft's names begin with a letter. */
void nat_table_name(const struct net_setup *s, char *out, size_t size)
{
	(void)snprintf(out, size, "volt_%s", s->bridge);
}

static void put_rule(FILE *f, const struct net_setup *s, const char *family, const struct prefix *p)
{
	char network[PREFIX_TEXT];

	fprintf(f, "add rule inet volt_%s postrouting %s saddr %s %s \"%s\" masquerade\n",
		s->bridge, family, prefix_network(p, network),
		s->uplink[0] != '\0' ? "oifname" : "oifname !=",
		s->uplink[0] != '\0' ? s->uplink : s->bridge);
}

char *nat_commands(const struct net_setup *s)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL)
		return NULL;
	fprintf(f, "add table inet volt_%s\n", s->bridge);
	fprintf(f,
		"add chain inet volt_%s postrouting { type nat hook postrouting priority "
		"srcnat; }\n",
		s->bridge);
	put_rule(f, s, "ip", &s->ipv4);
	if (s->ipv6.family != 0)
		put_rule(f, s, "ip6", &s->ipv6);
	if (fclose(f) != 0)
		free(ptr_take(text));
	return text;
}

/* What is in that table; false: it is not there, or may not be seen. */
static bool list(const char *family, const char *table, char *out, size_t size)
{
	const char *const argv[] = {"nft", "list", "table", family, table, NULL};
	struct verr e = VERR_INIT;

	return program_run(argv, NULL, out, size, &e) == 0;
}

bool nat_has_table(const struct net_setup *s)
{
	char table[64], out[LIST_BYTES];

	nat_table_name(s, table, sizeof(table));
	return list("inet", table, out, sizeof(out));
}

static int run_commands(const char *commands, struct verr *e)
{
	static const char *const argv[] = {"nft", "-f", "-", NULL};
	char out[256];

	return program_run(argv, commands, out, sizeof(out), e);
}

int nat_add_table(const struct net_setup *s, struct verr *e)
{
	auto_free char *commands = nat_commands(s);

	return commands == NULL ? verr_host(e, "out of memory") : run_commands(commands, e);
}

int nat_remove_table(const struct net_setup *s, struct verr *e)
{
	char commands[96];

	(void)snprintf(commands, sizeof(commands), "delete table inet volt_%s\n", s->bridge);
	return run_commands(commands, e);
}

bool nat_networkd_has_tables(void)
{
	char out[LIST_BYTES];

	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		if (list(families[i], NETWORKD_TABLE, out, sizeof(out)))
			return true;
	return false;
}

/* Is there an element in its listing, other than this network? */
static bool has_elements(const char *listing, const struct prefix *but)
{
	char network[PREFIX_TEXT] = "", only[PREFIX_TEXT + 16];
	const char *at = listing;

	if (but->family != 0)
		(void)prefix_network(but, network);
	(void)snprintf(only, sizeof(only), "elements = { %s }", network);
	while ((at = strstr(at, "elements =")) != NULL) {
		if (strncmp(at, only, strlen(only)) != 0)
			return true;
		at++;
	}
	return false;
}

bool nat_networkd_is_empty(const struct net_setup *but)
{
	static const struct prefix none = {0};
	const struct prefix *networks[] = {but != NULL ? &but->ipv4 : &none,
					   but != NULL ? &but->ipv6 : &none};
	char out[LIST_BYTES];

	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		if (list(families[i], NETWORKD_TABLE, out, sizeof(out)) &&
		    has_elements(out, networks[i]))
			return false;
	return true;
}

int nat_networkd_remove(struct verr *e)
{
	char out[LIST_BYTES], commands[128];

	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		if (!list(families[i], NETWORKD_TABLE, out, sizeof(out)))
			continue;
		(void)snprintf(commands, sizeof(commands), "delete table %s " NETWORKD_TABLE "\n",
			       families[i]);
		if (run_commands(commands, e) < 0)
			return -1;
	}
	return 0;
}

/* --- the step --- */

/* How often, and how long apart, to look whether systemd-networkd has taken its last address out.
 */
#define LOOKS 50
#define LOOK_NS 20000000L

static bool becomes_empty(const struct plan *p)
{
	const struct timespec pause = {.tv_nsec = LOOK_NS};

	/* Stopped, or without the unit, it does not take it out any more. */
	if (p->forgotten || !networkd_runs())
		return nat_networkd_is_empty(p->from);
	for (int i = 0; i < LOOKS; i++) {
		if (nat_networkd_is_empty(NULL))
			return true;
		(void)nanosleep(&pause, NULL);
	}
	return false;
}

/* Its tables go with the last of our bridges, unless they were there before or somebody uses them.
 */
static int leave_networkd(struct plan *p, struct verr *e)
{
	if (!p->from->masquerade || p->from->former.nat ||
	    forward_others_need(p->from, forward_needed4) || !nat_networkd_has_tables())
		return 0;
	if (p->dry) {
		plan_tell(p, "remove the nftables tables " NETWORKD_TABLE ", if nobody uses them");
		return 0;
	}
	if (!becomes_empty(p))
		return 0;
	plan_tell(p, "remove the nftables tables " NETWORKD_TABLE);
	return nat_networkd_remove(e);
}

static int add_table(struct plan *p, struct verr *e)
{
	auto_free char *commands = NULL;
	char *rest, *line;

	if (!p->to->masquerade || nat_has_table(p->to))
		return 0;
	commands = nat_commands(p->to);
	if (commands == NULL)
		return verr_host(e, "out of memory");
	for (rest = commands; (line = strsep(&rest, "\n")) != NULL;)
		if (*line != '\0')
			plan_tell(p, "run nft '%s'", line);
	return p->dry ? 0 : nat_add_table(p->to, e);
}

static int remove_table(struct plan *p, struct verr *e)
{
	if (!p->from->masquerade || !nat_has_table(p->from))
		return 0;
	plan_tell(p, "run nft 'delete table inet volt_%s'", p->from->bridge);
	return p->dry ? 0 : nat_remove_table(p->from, e);
}

int plan_nat(struct plan *p, struct verr *e)
{
	if (p->to != NULL)
		return p->to->means == NET_NETLINK ? add_table(p, e) : 0;
	return p->from->means == NET_NETLINK ? remove_table(p, e) : leave_networkd(p, e);
}
