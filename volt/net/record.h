/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What "volt net setup" has set up for one bridge, and what was there before: the record from which
 * teardown undoes it. By systemd-networkd, it is a comment in the bridge's .network file, and so
 * outlives a reboot as the bridge does; by netlink it is a file in /run, which does neither.
 */
#ifndef VOLT_VOLT_NET_RECORD_H
#define VOLT_VOLT_NET_RECORD_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/verr.h"
#include "volt/net/prefix.h"

#define NET_BRIDGE "volt0"
#define NET_TAPS_MAX 64
#define NET_USER_MAX 33
#define NET_SERVERS_TEXT 160
#define NET_KEPT_TEXT 1024
#define NET_RECORD_MAX 16384
#define NET_RUN_FOLDER "/run/volt-net"
#define NET_UNIT_FOLDER "/etc/systemd/network"
/* Begins the line of a .network file that has the record. */
#define NET_RECORD_MARK "# Record: "

enum net_means { NET_NETWORKD, NET_NETLINK };

struct net_tap {
	char name[IFNAMSIZ];
	uint32_t owner;
	char user[NET_USER_MAX]; /* the owner's name, or number where there is none */
	bool multi_queue;
};

struct net_setup {
	enum net_means means;
	char bridge[IFNAMSIZ];
	uint8_t mac[6];
	struct prefix ipv4, ipv6; /* ipv6.family 0: none */
	char uplink[IFNAMSIZ];    /* "": whichever has the route */
	char dns[NET_SERVERS_TEXT];
	bool dhcp, masquerade;
	/* What there was before. */
	struct {
		bool forward4, forward6; /* the kernel forwarded */
		bool nat;                /* systemd-networkd had its nftables tables */
		/* What forwarding resets: "ipv4/conf/all/accept_redirects=0 ...", below
		 * /proc/sys/net. */
		char kept[NET_KEPT_TEXT];
	} former;
	struct net_tap taps[NET_TAPS_MAX];
	size_t taps_count;
};

/* Is it a name for an interface, that files can be named after, too? */
V_MUST_CHECK int net_check_name(const char *name, struct verr *e);

const struct net_tap *net_find_tap(const struct net_setup *s, const char *name);

/* The record as one line of JSON; NULL: out of memory. */
char *net_encode(const struct net_setup *s);
V_MUST_CHECK int net_decode(struct net_setup *s, const char *text, struct verr *e);

/* The file that has the record. */
void net_record_path(const struct net_setup *s, char *out, size_t size);

/* The record of this bridge; `*found` false: it is not set up. */
V_MUST_CHECK int net_find(const char *bridge, struct net_setup *s, bool *found, struct verr *e);

/* All records there are, in an array to be freed. */
V_MUST_CHECK int net_find_all(struct net_setup **out, size_t *count, struct verr *e);

#endif
