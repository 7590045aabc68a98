/* SPDX-License-Identifier: Apache-2.0 */
/* The host's network interfaces, their addresses and routes, over netlink. */
#ifndef VOLT_VOLT_NET_LINKS_H
#define VOLT_VOLT_NET_LINKS_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/verr.h"
#include "volt/net/prefix.h"
#include "volt/net/record.h"

#define LINK_NOBODY UINT32_MAX

struct link {
	unsigned index, master; /* master: the bridge's index, or 0 */
	char name[IFNAMSIZ];
	char kind[16]; /* "bridge", "tun"; "" for hardware's */
	uint8_t mac[6];
	bool up, persistent;
	bool tap;       /* of kind "tun": a TAP device, not a TUN device */
	bool carrier;   /* of a TAP device: some process has it open */
	uint32_t owner; /* of a TAP device; or LINK_NOBODY */
};

struct links {
	struct link *all;
	size_t count;
};

#define LINKS_INIT          \
	{                   \
		.all = NULL \
	}

V_MUST_CHECK int links_read(struct links *l, struct verr *e);
void links_deinit(struct links *l);
const struct link *links_find(const struct links *l, const char *name);

/* Is it what setup makes, or somebody else's of that name? */
bool link_is_bridge(const struct link *l, const struct net_setup *s);
bool link_is_tap(const struct link *l, const struct net_tap *t);

/* Is it on our bridge, or on none? */
bool link_is_at_home(const struct link *l, const struct links *all, const struct net_setup *s);

/* What else has addresses of this network. */
struct overlap {
	bool found;
	struct prefix prefix;
	char interface[IFNAMSIZ]; /* "" for a route that leads to none */
};

/* Look for an address or a route of this network, or of part of it. */
V_MUST_CHECK int links_find_overlap(const struct prefix *p, struct overlap *o, struct verr *e);

/*
 * An interface whose default route of IPv6 comes from router advertisements that the kernel reads
 * only as long as it does not forward; "": there is none.
 */
V_MUST_CHECK int links_find_advertised(char name[IFNAMSIZ], struct verr *e);

/* The addresses of one interface, at most `max`; returns how many. */
V_MUST_CHECK int links_addresses(unsigned index, struct prefix *out, size_t max, struct verr *e);
V_MUST_CHECK int links_has_address(unsigned index, const struct prefix *p, bool *has,
				   struct verr *e);

V_MUST_CHECK int links_add_bridge(const char *name, const uint8_t mac[6], struct verr *e);
V_MUST_CHECK int links_add_address(unsigned index, const struct prefix *p, struct verr *e);
V_MUST_CHECK int links_bring_up(unsigned index, unsigned master, struct verr *e);
V_MUST_CHECK int links_delete(unsigned index, struct verr *e); /* nothing, if it is gone already */

/* A TAP device that stays when nobody has it open. */
V_MUST_CHECK int links_add_tap(const struct net_tap *tap, struct verr *e);

#endif
