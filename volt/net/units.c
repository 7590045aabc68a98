/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/net/units.h"

#include <stdio.h>

#include "base/own.h"

enum { BRIDGE_NETWORK, BRIDGE_NETDEV, BRIDGE_UNITS };
enum { TAP_NETDEV, TAP_NETWORK, TAP_UNITS };

size_t units_count(const struct net_setup *s)
{
	return BRIDGE_UNITS + TAP_UNITS * s->taps_count;
}

void unit_path(const struct net_setup *s, size_t i, char *out, size_t size)
{
	size_t tap = (i - BRIDGE_UNITS) / TAP_UNITS;

	if (i == BRIDGE_NETWORK)
		net_record_path(s, out, size);
	else if (i == BRIDGE_NETDEV)
		(void)snprintf(out, size, NET_UNIT_FOLDER "/10-volt-%s.netdev", s->bridge);
	else
		(void)snprintf(out, size, NET_UNIT_FOLDER "/11-volt-%s.%s", s->taps[tap].name,
			       (i - BRIDGE_UNITS) % TAP_UNITS == TAP_NETDEV ? "netdev" : "network");
}

static void put_ipv6(FILE *f, const struct net_setup *s)
{
	char text[PREFIX_TEXT];

	/* Nobody else has it: guests need not wait until that is found out. */
	fprintf(f, "\n[Address]\nAddress=%s\nDuplicateAddressDetection=none\n",
		prefix_text(&s->ipv6, text));
	fprintf(f, "\n[IPv6SendRA]\nEmitDNS=no\n%s", s->masquerade ? "" : "RouterLifetimeSec=0\n");
	fprintf(f, "\n[IPv6Prefix]\nPrefix=%s\n", prefix_network(&s->ipv6, text));
}

/* The network's upper half: the lower one is for addresses that are given to guests by hand. */
static void put_dhcp(FILE *f, const struct net_setup *s)
{
	unsigned half = 1U << (31 - s->ipv4.len);

	fprintf(f, "\n[DHCPServer]\nPoolOffset=%u\nPoolSize=%u\n", half, half - 1);
	if (s->uplink[0] != '\0')
		fprintf(f, "UplinkInterface=%s\n", s->uplink);
	if (s->dns[0] != '\0')
		fprintf(f, "DNS=%s\n", s->dns);
	if (!s->masquerade)
		fprintf(f, "EmitRouter=no\n");
}

static void put_bridge_network(FILE *f, const struct net_setup *s)
{
	const char *masquerade = s->ipv6.family != 0 ? "both" : "ipv4";
	auto_free char *record = net_encode(s);
	char text[PREFIX_TEXT];

	fprintf(f, NET_RECORD_MARK "%s\n", record != NULL ? record : "");
	fprintf(f, "[Match]\nName=%s\n\n[Link]\nRequiredForOnline=no\n\n[Network]\n", s->bridge);
	fprintf(f, "Address=%s\n", prefix_text(&s->ipv4, text));
	fprintf(f, "ConfigureWithoutCarrier=yes\nLinkLocalAddressing=%s\nIPv6AcceptRA=no\n",
		s->ipv6.family != 0 ? "ipv6" : "no");
	fprintf(f, "DHCPServer=%s\nIPMasquerade=%s\n", s->dhcp ? "yes" : "no",
		s->masquerade ? masquerade : "no");
	if (s->ipv6.family != 0)
		fprintf(f, "IPv6SendRA=yes\n");
	if (s->dhcp)
		put_dhcp(f, s);
	if (s->ipv6.family != 0)
		put_ipv6(f, s);
}

/* With an address of its own: else it has the lowest of its ports', which come and go. */
static void put_bridge_netdev(FILE *f, const struct net_setup *s)
{
	const uint8_t *m = s->mac;

	fprintf(f, "[NetDev]\nName=%s\nKind=bridge\n", s->bridge);
	fprintf(f, "MACAddress=%02x:%02x:%02x:%02x:%02x:%02x\n\n[Bridge]\nSTP=no\n", m[0], m[1],
		m[2], m[3], m[4], m[5]);
}

static void put_tap_netdev(FILE *f, const struct net_tap *t)
{
	fprintf(f, "[NetDev]\nName=%s\nKind=tap\n\n[Tap]\nUser=%s\nVNetHeader=yes\n", t->name,
		t->user);
	if (t->multi_queue)
		fprintf(f, "MultiQueue=yes\n");
}

static void put_tap_network(FILE *f, const struct net_setup *s, const struct net_tap *t)
{
	fprintf(f, "[Match]\nName=%s\n\n[Link]\nRequiredForOnline=no\n\n[Network]\n", t->name);
	fprintf(f, "Bridge=%s\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n", s->bridge);
}

static void put(FILE *f, const struct net_setup *s, size_t i)
{
	if (i == BRIDGE_NETWORK)
		put_bridge_network(f, s);
	else if (i == BRIDGE_NETDEV)
		put_bridge_netdev(f, s);
	else if ((i - BRIDGE_UNITS) % TAP_UNITS == TAP_NETDEV)
		put_tap_netdev(f, &s->taps[(i - BRIDGE_UNITS) / TAP_UNITS]);
	else
		put_tap_network(f, s, &s->taps[(i - BRIDGE_UNITS) / TAP_UNITS]);
}

char *unit_text(const struct net_setup *s, size_t i)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL)
		return NULL;
	fputs(UNIT_MARK, f);
	put(f, s, i);
	if (fclose(f) != 0)
		free(ptr_take(text));
	return text;
}
