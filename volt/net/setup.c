/* SPDX-License-Identifier: Apache-2.0 */
/* volt net setup: a bridge for guests. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/own.h"
#include "volt/net/firewall.h"
#include "volt/net/forward.h"
#include "volt/net/links.h"
#include "volt/net/lock.h"
#include "volt/net/nat.h"
#include "volt/net/net.h"
#include "volt/net/networkd.h"
#include "volt/net/plan.h"
#include "volt/net/settings.h"

/* Has name servers of uplinks, where systemd-resolved runs: systemd-networkd then knows them. */
#define RESOLVED_CONF "/run/systemd/resolve/resolv.conf"

/* Where to look for a network that nobody has: 10.86.0.1/24 and on. */
#define DEFAULT_FIRST 10
#define DEFAULT_SECOND 86
#define DEFAULT_NETWORKS 64

/* --- what was not given --- */

static int check_free(const struct prefix *p, const char *option, struct verr *e)
{
	char own[PREFIX_TEXT], other[PREFIX_TEXT];
	struct overlap o;

	if (links_find_overlap(p, &o, e) < 0)
		return -1;
	if (o.found)
		return verr_invalid(e,
				    "%s overlaps with %s%s%s, which this host has already; give "
				    "another by --%s",
				    prefix_text(p, own), prefix_text(&o.prefix, other),
				    o.interface[0] != '\0' ? " on " : "", o.interface, option);
	return 0;
}

static int choose_ipv4(struct prefix *p, struct verr *e)
{
	for (unsigned i = 0; i < DEFAULT_NETWORKS; i++) {
		struct overlap o;

		*p = (struct prefix){.family = AF_INET,
				     .len = 24,
				     .bytes = {DEFAULT_FIRST, DEFAULT_SECOND, (uint8_t)i, 1}};
		if (links_find_overlap(p, &o, e) < 0)
			return -1;
		if (!o.found)
			return 0;
	}
	return verr_invalid(e, "this host has routes for all of 10.86.0.0/18; give an address that "
			       "is free by --address");
}

/* RFC 4193: fd, 40 random bits, and of that the first network. */
static int choose_ipv6(struct prefix *p, struct verr *e)
{
	*p = (struct prefix){.family = AF_INET6, .len = 64, .bytes = {0xFD, [15] = 1}};
	if (getrandom(p->bytes + 1, 5, 0) != 5)
		return verr_os(e, "get random numbers");
	return 0;
}

static int choose_mac(uint8_t mac[6], struct verr *e)
{
	if (getrandom(mac, 6, 0) != 6)
		return verr_os(e, "get random numbers");
	mac[0] = (uint8_t)((mac[0] & 0xFC) | 2); /* of no maker's, and one host's */
	return 0;
}

/* The host's name servers, where guests can reach them: not those that listen on lo. */
static void choose_dns(struct net_setup *s)
{
	auto_fclose *f = fopen("/etc/resolv.conf", "re");
	char line[256], address[INET_ADDRSTRLEN];
	struct in_addr parsed;

	if (access(RESOLVED_CONF, F_OK) == 0)
		return;
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		size_t len = strlen(s->dns);

		if (sscanf(line, "nameserver %15[0-9.]", address) == 1 &&
		    inet_pton(AF_INET, address, &parsed) == 1 && strncmp(address, "127.", 4) != 0 &&
		    len + INET_ADDRSTRLEN < sizeof(s->dns))
			(void)snprintf(s->dns + len, sizeof(s->dns) - len, "%s%s",
				       len > 0 ? " " : "", address);
	}
}

static int choose(struct net_setup *s, const struct verb_args *args, struct verr *e)
{
	s->means = networkd_runs() ? NET_NETWORKD : NET_NETLINK;
	if (s->means == NET_NETLINK)
		s->dhcp = false;
	if ((s->ipv4.family == 0 && choose_ipv4(&s->ipv4, e) < 0) ||
	    (s->ipv6.family != 0 && s->ipv6.len == 0 && choose_ipv6(&s->ipv6, e) < 0) ||
	    choose_mac(s->mac, e) < 0)
		return -1;
	if (s->dhcp && args->options[NET_OPT_DNS] == NULL)
		choose_dns(s);
	/* Without nft nobody can tell: then they stay. */
	s->former.nat = !nat_has_nft() || nat_networkd_has_tables();
	return forward_remember(s, e);
}

/* --- what stands against it --- */

/* What was set up before may have been replaced since, by somebody else and for something else. */
static int check_former(const struct links *l, const struct net_setup *former, struct verr *e)
{
	const struct link *found = links_find(l, former->bridge);
	const char *name = found != NULL && !link_is_bridge(found, former) ? former->bridge : NULL;

	for (size_t i = 0; i < former->taps_count && name == NULL; i++) {
		const struct net_tap *t = &former->taps[i];

		found = links_find(l, t->name);
		if (found != NULL && !link_is_tap(found, t))
			name = t->name;
		else if (found != NULL && !link_is_at_home(found, l, former))
			return verr_state(e,
					  "%s is on another bridge than %s; first run: ip link set "
					  "%s nomaster",
					  t->name, former->bridge, t->name);
	}
	if (name == NULL)
		return 0;
	return verr_state(e,
			  "there is an interface %s, which volt net setup did not make, instead of "
			  "the one it made; first run: volt net teardown --bridge %s",
			  name, former->bridge);
}

static int check_names(const struct net_setup *s, const struct net_setup *former, struct verr *e)
{
	struct links l = LINKS_INIT;

	if (links_read(&l, e) < 0)
		return -1;
	if (former != NULL)
		(void)check_former(&l, former, e);
	else if (links_find(&l, s->bridge) != NULL)
		(void)verr_invalid(e,
				   "there is an interface %s, which volt net setup did not make; "
				   "give another name by --bridge",
				   s->bridge);
	if (s->uplink[0] != '\0' && links_find(&l, s->uplink) == NULL)
		(void)verr_invalid(e, "--uplink: there is no interface %s; see: ip link",
				   s->uplink);
	for (size_t i = 0; i < s->taps_count && e->kind == VERR_NONE; i++)
		if (net_find_tap(former, s->taps[i].name) == NULL &&
		    links_find(&l, s->taps[i].name) != NULL)
			(void)verr_invalid(e,
					   "--tap: there is an interface %s already; give another "
					   "name",
					   s->taps[i].name);
	links_deinit(&l);
	return e->kind == VERR_NONE ? 0 : -1;
}

/* Forwarding would end that the kernel listens to routers. */
static int check_ipv6(const struct net_setup *s, struct verr *e)
{
	char name[IFNAMSIZ];

	if (!forward_needed6(s) || forward_is_on(FORWARD6))
		return 0;
	if (links_find_advertised(name, e) < 0)
		return -1;
	if (name[0] != '\0')
		return verr_invalid(
			e,
			"--ipv6: %s would lose its default route, which routers tell it; first "
			"run: sysctl net.ipv6.conf.%s.accept_ra=2, or give --no-masquerade",
			name, name);
	return 0;
}

static int check_new(const struct net_setup *s, struct verr *e)
{
	if (check_free(&s->ipv4, "address", e) < 0 ||
	    (s->ipv6.family != 0 && check_free(&s->ipv6, "ipv6", e) < 0) || check_ipv6(s, e) < 0)
		return -1;
	if (s->means == NET_NETLINK && s->masquerade && !nat_has_nft())
		return verr_host(e, "nft is not there, and systemd-networkd does not run, to "
				    "masquerade; run: apt-get install nftables, or give "
				    "--no-masquerade");
	if (s->means == NET_NETLINK && s->masquerade && nat_has_table(s))
		return verr_invalid(e,
				    "there is an nftables table inet volt_%s, which volt net setup "
				    "did not make; give another name by --bridge, or run: nft "
				    "delete table inet volt_%s",
				    s->bridge, s->bridge);
	return 0;
}

/* --- the end --- */

static void print_summary(const struct net_setup *s, bool fresh)
{
	bool networkd = s->means == NET_NETWORKD;
	char text[PREFIX_TEXT], chain[160];

	printf("%s has %s", s->bridge, prefix_text(&s->ipv4, text));
	if (s->ipv6.family != 0)
		printf(" and %s", prefix_text(&s->ipv6, text));
	printf("; by %s\n",
	       networkd ? "systemd-networkd, for good" : "netlink, until the next boot");
	if (s->masquerade && firewall_drops(chain, sizeof(chain)))
		printf("the host's firewall drops what no rule of its chain \"%s\" allows: allow "
		       "%s "
		       "there\n",
		       chain, s->bridge);
	if (!networkd && fresh)
		printf("systemd-networkd does not run, so there is no DHCP%s: give guests "
		       "addresses of %s\n",
		       s->ipv6.family != 0 ? ", nor router advertisements" : "",
		       prefix_network(&s->ipv4, text));
}

struct wish {
	const struct verb_args *args;
	struct net_setup setup;
	bool dry;
};

static int setup(void *context, struct verr *e)
{
	struct wish *w = context;
	const struct verb_args *args = w->args;
	struct net_setup former, *s = &w->setup;
	struct plan p = {.to = s, .dry = w->dry};
	bool found;

	if (net_find(s->bridge, &former, &found, e) < 0)
		return -1;
	p.from = found ? &former : NULL;
	if (found && net_settings_merge(s, &former, args, e) < 0)
		return -1;
	if (check_names(s, p.from, e) < 0 ||
	    (!found && (choose(s, args, e) < 0 || check_new(s, e) < 0)) || plan_run(&p, e) < 0)
		return -1;
	if (p.changes == 0)
		printf("%s is set up already\n", s->bridge);
	else if (!w->dry)
		print_summary(s, !found);
	return 0;
}

static int run(const struct verb_args *args, struct verr *e)
{
	struct wish w = {.args = args, .dry = args->options[NET_OPT_DRY_RUN] != NULL};

	if (net_settings_parse(&w.setup, args, e) < 0)
		return -1;
	return net_change("setup", w.dry, setup, &w, e);
}

const struct verb net_setup_verb = {
	.name = "setup",
	.summary = "make a bridge with an address, DHCP and masquerading",
	.about =
		"Where systemd-networkd runs, by files in /etc/systemd/network, for good; else by "
		"netlink\n"
		"and nftables, until the next boot and without DHCP. Each change is one line. What "
		"fails\n"
		"half-way is undone. Given again, it changes nothing but for what is missing, and "
		"adds TAP\n"
		"devices; volt net teardown undoes all of it.\n",
	.run = run,
	.options = net_setup_options,
	.options_count = NET_OPTIONS,
};
