/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/net/settings.h"

#include <arpa/inet.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "volt/program.h"

const struct verb_option net_setup_options[NET_OPTIONS] = {
	[NET_OPT_BRIDGE] = {.name = "bridge",
			    .value = "NAME",
			    .help = "what to call it; default: " NET_BRIDGE},
	[NET_OPT_ADDRESS] = {.name = "address",
			     .value = "ADDR/LEN",
			     .help = "the host's; default: the first free of 10.86.0.1/24, "
				     "10.86.1.1/24 ..."},
	[NET_OPT_IPV6] = {.name = "ipv6",
			  .value = "ADDR/64",
			  .help = "IPv6, too; \"auto\": a network of its own below fd00::/8"},
	[NET_OPT_UPLINK] = {.name = "uplink",
			    .value = "IF",
			    .help = "by which interface guests reach others; default: any"},
	[NET_OPT_DNS] = {.name = "dns",
			 .value = "ADDR,...",
			 .help = "name servers for guests; default: the host's"},
	[NET_OPT_NO_DHCP] = {.name = "no-dhcp", .help = "no DHCP server"},
	[NET_OPT_NO_MASQUERADE] = {.name = "no-masquerade",
				   .help = "guests reach the host and each other only"},
	[NET_OPT_TAP] = {.name = "tap",
			 .value = "NAME",
			 .help = "make a TAP device on the bridge; may be repeated"},
	[NET_OPT_OWNER] = {.name = "owner",
			   .value = "USER",
			   .help = "whose those are; default: who calls sudo, or root"},
	[NET_OPT_MULTI_QUEUE] = {.name = "multi-queue", .help = "those can have several queues"},
	[NET_OPT_DRY_RUN] = {.name = "dry-run", .help = "tell what would be done, and do nothing"},
};

static int parse_prefix(struct prefix *p, const char *text, int family, const char *example,
			struct verr *e)
{
	if (!prefix_parse(p, text) || p->family != family)
		return verr_invalid(e, "%.80s: expected ADDRESS/LENGTH, as %s", text, example);
	return prefix_check(p, text, e);
}

/* "A,B" becomes "A B", as in a .network file. */
static int parse_dns(struct net_setup *s, const char *text, struct verr *e)
{
	char copy[NET_SERVERS_TEXT], *rest = copy, *word;
	struct in_addr address;

	if ((size_t)snprintf(copy, sizeof(copy), "%s", text) >= sizeof(copy))
		return verr_invalid(e, "too many; expected a few addresses");
	while ((word = strsep(&rest, ",")) != NULL) {
		size_t len = strlen(s->dns);

		if (inet_pton(AF_INET, word, &address) != 1)
			return verr_invalid(e, "%s: expected addresses of IPv4, as 9.9.9.9,1.1.1.1",
					    *word != '\0' ? word : "\"\"");
		(void)snprintf(s->dns + len, sizeof(s->dns) - len, "%s%s", len > 0 ? " " : "",
			       word);
	}
	return 0;
}

static bool find_uid(const char *name, uint32_t *uid)
{
	auto_fclose *f = fopen("/etc/passwd", "re");
	const struct passwd *p = NULL;

	while (f != NULL && (p = fgetpwent(f)) != NULL && strcmp(p->pw_name, name) != 0)
		;
	if (p != NULL)
		*uid = p->pw_uid;
	return p != NULL;
}

static bool parse_number(const char *text, uint32_t *number)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || n >= UINT32_MAX)
		return false;
	*number = (uint32_t)n;
	return true;
}

/* A name, or a number; its name where it has one, for systemd-networkd takes no other. */
static int parse_owner(struct net_tap *t, const char *text, struct verr *e)
{
	const char *sudo = getenv("SUDO_UID");

	if (text == NULL)
		text = sudo != NULL && parse_number(sudo, &t->owner) ? sudo : "0";
	if (!parse_number(text, &t->owner) && !find_uid(text, &t->owner))
		return verr_invalid(e,
				    "--owner: there is no user %.40s in /etc/passwd; expected a "
				    "name from there or a number",
				    text);
	if (!program_user_name(t->owner, t->user, sizeof(t->user)))
		(void)snprintf(t->user, sizeof(t->user), "%u", t->owner);
	return 0;
}

static int add_tap(struct net_setup *s, const char *name, const struct verb_args *args,
		   struct verr *e)
{
	struct net_tap *t = &s->taps[s->taps_count];

	if (net_check_name(name, e) < 0)
		return verr_note(e, "--tap");
	if (net_find_tap(s, name) != NULL || strcmp(name, s->bridge) == 0)
		return verr_invalid(e, "--tap: %s is given twice; expected another name", name);
	if (s->taps_count == NET_TAPS_MAX)
		return verr_invalid(e, "--tap: at most %d of them", NET_TAPS_MAX);
	if (parse_owner(t, args->options[NET_OPT_OWNER], e) < 0)
		return -1;
	(void)snprintf(t->name, sizeof(t->name), "%s", name);
	t->multi_queue = args->options[NET_OPT_MULTI_QUEUE] != NULL;
	s->taps_count++;
	return 0;
}

static int add_taps(struct net_setup *s, const struct verb_args *args, struct verr *e)
{
	for (size_t i = 0; i < args->given_count; i++)
		if (args->given[i].row == NET_OPT_TAP &&
		    add_tap(s, args->given[i].value, args, e) < 0)
			return -1;
	if (s->taps_count == 0 &&
	    (args->options[NET_OPT_OWNER] != NULL || args->options[NET_OPT_MULTI_QUEUE] != NULL))
		return verr_invalid(e, "--owner and --multi-queue are for TAP devices; give --tap "
				       "NAME, too");
	return 0;
}

static int parse_addresses(struct net_setup *s, const char *const *o, struct verr *e)
{
	if (o[NET_OPT_ADDRESS] != NULL &&
	    parse_prefix(&s->ipv4, o[NET_OPT_ADDRESS], AF_INET, "10.86.0.1/24", e) < 0)
		return verr_note(e, "--address");
	if (o[NET_OPT_IPV6] == NULL)
		return 0;
	s->ipv6 = (struct prefix){.family = AF_INET6};
	if (strcmp(o[NET_OPT_IPV6], "auto") != 0 &&
	    parse_prefix(&s->ipv6, o[NET_OPT_IPV6], AF_INET6, "fd00:86::1/64", e) < 0)
		return verr_note(e, "--ipv6");
	return 0;
}

int net_settings_parse(struct net_setup *s, const struct verb_args *args, struct verr *e)
{
	const char *const *o = args->options;
	const char *bridge = o[NET_OPT_BRIDGE] != NULL ? o[NET_OPT_BRIDGE] : NET_BRIDGE;

	*s = (struct net_setup){.dhcp = o[NET_OPT_NO_DHCP] == NULL,
				.masquerade = o[NET_OPT_NO_MASQUERADE] == NULL};
	if (net_check_name(bridge, e) < 0)
		return verr_note(e, "--bridge");
	(void)snprintf(s->bridge, sizeof(s->bridge), "%s", bridge);
	if (parse_addresses(s, o, e) < 0)
		return -1;
	if (o[NET_OPT_UPLINK] != NULL) {
		if (net_check_name(o[NET_OPT_UPLINK], e) < 0)
			return verr_note(e, "--uplink");
		(void)snprintf(s->uplink, sizeof(s->uplink), "%s", o[NET_OPT_UPLINK]);
	}
	if (o[NET_OPT_DNS] != NULL && o[NET_OPT_NO_DHCP] != NULL)
		return verr_invalid(e, "--dns is told by DHCP; give it without --no-dhcp");
	if (o[NET_OPT_DNS] != NULL && parse_dns(s, o[NET_OPT_DNS], e) < 0)
		return verr_note(e, "--dns");
	return add_taps(s, args, e);
}

/* The option that asks for something else than there is; NULL: none does. */
static const char *find_difference(const struct net_setup *s, const struct net_setup *former,
				   const char *const *o)
{
	if (o[NET_OPT_ADDRESS] != NULL && !prefix_equal(&s->ipv4, &former->ipv4))
		return "address";
	if (o[NET_OPT_IPV6] != NULL && !prefix_equal(&s->ipv6, &former->ipv6) &&
	    (s->ipv6.len != 0 || former->ipv6.family == 0))
		return "ipv6";
	if (o[NET_OPT_UPLINK] != NULL && strcmp(s->uplink, former->uplink) != 0)
		return "uplink";
	if (o[NET_OPT_DNS] != NULL && strcmp(s->dns, former->dns) != 0)
		return "dns";
	if (o[NET_OPT_NO_DHCP] != NULL && former->dhcp)
		return "no-dhcp";
	return o[NET_OPT_NO_MASQUERADE] != NULL && former->masquerade ? "no-masquerade" : NULL;
}

int net_settings_merge(struct net_setup *s, const struct net_setup *former,
		       const struct verb_args *args, struct verr *e)
{
	const char *difference = find_difference(s, former, args->options);
	struct net_setup merged = *former;

	if (difference != NULL)
		return verr_state(e,
				  "--%s: %s is set up otherwise; first run: volt net teardown "
				  "--bridge %s",
				  difference, s->bridge, s->bridge);
	for (size_t i = 0; i < s->taps_count; i++) {
		const struct net_tap *t = &s->taps[i], *has = net_find_tap(former, t->name);

		if (has != NULL && args->options[NET_OPT_OWNER] != NULL && has->owner != t->owner)
			return verr_state(e,
					  "--owner: %s is %s's; first run: volt net teardown "
					  "--bridge %s",
					  t->name, has->user, s->bridge);
		if (has != NULL && t->multi_queue && !has->multi_queue)
			return verr_state(e,
					  "--multi-queue: %s has one queue; first run: volt net "
					  "teardown --bridge %s",
					  t->name, s->bridge);
		if (has != NULL)
			continue;
		if (merged.taps_count == NET_TAPS_MAX)
			return verr_invalid(e, "--tap: at most %d of them", NET_TAPS_MAX);
		merged.taps[merged.taps_count++] = *t;
	}
	*s = merged;
	return 0;
}
