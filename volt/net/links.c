/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/net/links.h"

#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/netlink.h"
#include "base/own.h"

#define CLONE_DEVICE "/dev/net/tun"

/* --- what there is --- */

struct reading {
	struct links *links;
	bool out_of_memory;
};

static void copy_name(char *out, size_t size, const struct rtattr *a)
{
	if (a != NULL)
		(void)snprintf(out, size, "%.*s", (int)RTA_PAYLOAD(a), (const char *)RTA_DATA(a));
}

static bool is_set(const struct rtattr *a)
{
	return a != NULL && RTA_PAYLOAD(a) > 0 && *(const uint8_t *)RTA_DATA(a) != 0;
}

static void read_tun(struct link *l, const struct rtattr *data)
{
	const struct rtattr *a;

	l->owner = netlink_u32(netlink_find_in(data, IFLA_TUN_OWNER), LINK_NOBODY);
	l->persistent = is_set(netlink_find_in(data, IFLA_TUN_PERSIST));
	a = netlink_find_in(data, IFLA_TUN_TYPE);
	l->tap = a != NULL && RTA_PAYLOAD(a) > 0 && *(const uint8_t *)RTA_DATA(a) == IFF_TAP;
}

static void add_link(uint16_t type, const void *body, size_t size, void *context)
{
	const struct ifinfomsg *info = body;
	const char *at = (const char *)body + NLMSG_ALIGN(sizeof(*info));
	struct reading *r = context;
	const struct rtattr *a;
	struct link *more, l = {.owner = LINK_NOBODY};

	if (type != RTM_NEWLINK || size < NLMSG_ALIGN(sizeof(*info)))
		return;
	size -= NLMSG_ALIGN(sizeof(*info));
	l.index = (unsigned)info->ifi_index;
	l.up = (info->ifi_flags & IFF_UP) != 0;
	l.master = netlink_u32(netlink_find(at, size, IFLA_MASTER), 0);
	copy_name(l.name, sizeof(l.name), netlink_find(at, size, IFLA_IFNAME));
	l.carrier = is_set(netlink_find(at, size, IFLA_CARRIER));
	a = netlink_find(at, size, IFLA_ADDRESS);
	if (a != NULL && RTA_PAYLOAD(a) == sizeof(l.mac))
		memcpy(l.mac, RTA_DATA(a), sizeof(l.mac));
	a = netlink_find(at, size, IFLA_LINKINFO);
	copy_name(l.kind, sizeof(l.kind), netlink_find_in(a, IFLA_INFO_KIND));
	if (strcmp(l.kind, "tun") == 0)
		read_tun(&l, netlink_find_in(a, IFLA_INFO_DATA));
	more = reallocarray(r->links->all, r->links->count + 1, sizeof(l));
	if (more == NULL) {
		r->out_of_memory = true;
		return;
	}
	r->links->all = more;
	more[r->links->count++] = l;
}

/* Ask for everything of a type whose fixed header is `body`. */
static int dump(uint16_t type, const void *body, size_t size, netlink_fn *fn, void *context,
		struct verr *e)
{
	struct netlink_message m;
	auto_fd fd = netlink_open(NETLINK_ROUTE, e);

	if (fd < 0)
		return -1;
	netlink_begin(&m, type, 0, body, size);
	return netlink_dump(fd, &m, fn, context) < 0 ? verr_os(e, "ask for the network's state")
						     : 0;
}

int links_read(struct links *l, struct verr *e)
{
	struct reading r = {.links = l};
	struct ifinfomsg body = {0};

	*l = (struct links)LINKS_INIT;
	if (dump(RTM_GETLINK, &body, sizeof(body), add_link, &r, e) < 0)
		return -1;
	return r.out_of_memory ? verr_host(e, "out of memory") : 0;
}

void links_deinit(struct links *l)
{
	free(l->all);
	*l = (struct links)LINKS_INIT;
}

const struct link *links_find(const struct links *l, const char *name)
{
	for (size_t i = 0; i < l->count; i++)
		if (strcmp(l->all[i].name, name) == 0)
			return &l->all[i];
	return NULL;
}

/* --- whose they are --- */

bool link_is_bridge(const struct link *l, const struct net_setup *s)
{
	return strcmp(l->kind, "bridge") == 0 && memcmp(l->mac, s->mac, sizeof(s->mac)) == 0;
}

bool link_is_tap(const struct link *l, const struct net_tap *t)
{
	return l->tap && l->persistent && l->owner == t->owner;
}

bool link_is_at_home(const struct link *l, const struct links *all, const struct net_setup *s)
{
	const struct link *bridge = links_find(all, s->bridge);

	return l->master == 0 ||
	       (bridge != NULL && link_is_bridge(bridge, s) && l->master == bridge->index);
}

/* --- routes --- */

static bool read_route(uint16_t type, const void *body, size_t size, struct prefix *p,
		       unsigned *index)
{
	const struct rtmsg *route = body;
	const char *at = (const char *)body + NLMSG_ALIGN(sizeof(*route));
	const struct rtattr *to;

	if (type != RTM_NEWROUTE || size < NLMSG_ALIGN(sizeof(*route)) ||
	    (route->rtm_family != AF_INET && route->rtm_family != AF_INET6))
		return false;
	size -= NLMSG_ALIGN(sizeof(*route));
	*p = (struct prefix){.family = route->rtm_family, .len = route->rtm_dst_len};
	to = netlink_find(at, size, RTA_DST);
	if (to != NULL && RTA_PAYLOAD(to) == prefix_size(p))
		memcpy(p->bytes, RTA_DATA(to), prefix_size(p));
	*index = netlink_u32(netlink_find(at, size, RTA_OIF), 0);
	return true;
}

struct search {
	const struct prefix *p;
	struct overlap *overlap;
};

static void note_overlap(struct search *s, const struct prefix *p, unsigned index)
{
	if (s->overlap->found || !prefix_overlaps(s->p, p))
		return;
	s->overlap->found = true;
	s->overlap->prefix = *p;
	if (index == 0 || if_indextoname(index, s->overlap->interface) == NULL)
		s->overlap->interface[0] = '\0';
}

/* A default route says nothing about who has an address. */
static void compare_route(uint16_t type, const void *body, size_t size, void *context)
{
	struct prefix p;
	unsigned index;

	if (read_route(type, body, size, &p, &index) && p.len > 0)
		note_overlap(context, &p, index);
}

static bool read_address(uint16_t type, const void *body, size_t size, struct prefix *p,
			 unsigned *index)
{
	const struct ifaddrmsg *address = body;
	const char *at = (const char *)body + NLMSG_ALIGN(sizeof(*address));
	const struct rtattr *a;

	if (type != RTM_NEWADDR || size < NLMSG_ALIGN(sizeof(*address)))
		return false;
	size -= NLMSG_ALIGN(sizeof(*address));
	*p = (struct prefix){.family = address->ifa_family, .len = address->ifa_prefixlen};
	*index = address->ifa_index;
	a = netlink_find(at, size, IFA_LOCAL);
	if (a == NULL)
		a = netlink_find(at, size, IFA_ADDRESS);
	if (a == NULL || RTA_PAYLOAD(a) != prefix_size(p))
		return false;
	memcpy(p->bytes, RTA_DATA(a), prefix_size(p));
	return true;
}

static void compare_address(uint16_t type, const void *body, size_t size, void *context)
{
	struct prefix p;
	unsigned index;

	if (read_address(type, body, size, &p, &index))
		note_overlap(context, &p, index);
}

int links_find_overlap(const struct prefix *p, struct overlap *o, struct verr *e)
{
	struct search s = {.p = p, .overlap = o};
	struct ifaddrmsg addresses = {.ifa_family = (unsigned char)p->family};
	struct rtmsg routes = {.rtm_family = (unsigned char)p->family};

	*o = (struct overlap){0};
	if (dump(RTM_GETADDR, &addresses, sizeof(addresses), compare_address, &s, e) < 0)
		return -1;
	return dump(RTM_GETROUTE, &routes, sizeof(routes), compare_route, &s, e);
}

static bool reads_advertisements(const char *name)
{
	char path[64 + IFNAMSIZ], value = '0';
	auto_fd fd = -1;

	(void)snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/accept_ra", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && read(fd, &value, 1) == 1 && value == '1';
}

static void find_advertised(uint16_t type, const void *body, size_t size, void *context)
{
	char *name = context, found[IFNAMSIZ];
	struct prefix p;
	unsigned index;

	if (!read_route(type, body, size, &p, &index) || p.len != 0 ||
	    ((const struct rtmsg *)body)->rtm_protocol != RTPROT_RA || index == 0 ||
	    if_indextoname(index, found) == NULL || !reads_advertisements(found))
		return;
	memcpy(name, found, IFNAMSIZ);
}

int links_find_advertised(char name[IFNAMSIZ], struct verr *e)
{
	struct rtmsg body = {.rtm_family = AF_INET6};

	name[0] = '\0';
	return dump(RTM_GETROUTE, &body, sizeof(body), find_advertised, name, e);
}

/* --- addresses --- */

struct addresses {
	unsigned index;
	struct prefix *out;
	size_t max, count;
};

static void add_found(uint16_t type, const void *body, size_t size, void *context)
{
	struct addresses *s = context;
	struct prefix p;
	unsigned index;

	if (read_address(type, body, size, &p, &index) && index == s->index && s->count < s->max)
		s->out[s->count++] = p;
}

int links_addresses(unsigned index, struct prefix *out, size_t max, struct verr *e)
{
	struct addresses s = {.index = index, .out = out, .max = max};
	struct ifaddrmsg body = {0};

	return dump(RTM_GETADDR, &body, sizeof(body), add_found, &s, e) < 0 ? -1 : (int)s.count;
}

int links_has_address(unsigned index, const struct prefix *p, bool *has, struct verr *e)
{
	struct prefix found[32];
	int count = links_addresses(index, found, ARRAY_LEN(found), e);

	*has = false;
	for (int i = 0; i < count; i++)
		if (prefix_equal(&found[i], p))
			*has = true;
	return count < 0 ? -1 : 0;
}

/* --- changes --- */

static int ask(struct netlink_message *m, struct verr *e)
{
	auto_fd fd = netlink_open(NETLINK_ROUTE, e);

	return fd < 0 ? -1 : netlink_ask(fd, m);
}

int links_add_bridge(const char *name, const uint8_t mac[6], struct verr *e)
{
	struct netlink_message m;
	struct ifinfomsg body = {0};
	size_t nest;

	netlink_begin(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &body, sizeof(body));
	netlink_put_text(&m, IFLA_IFNAME, name);
	netlink_put(&m, IFLA_ADDRESS, mac, 6);
	nest = netlink_open_nest(&m, IFLA_LINKINFO);
	netlink_put_text(&m, IFLA_INFO_KIND, "bridge");
	netlink_close_nest(&m, nest);
	return ask(&m, e) < 0 ? verr_os(e, "create the bridge %s", name) : 0;
}

int links_add_address(unsigned index, const struct prefix *p, struct verr *e)
{
	struct ifaddrmsg body = {.ifa_family = (unsigned char)p->family,
				 .ifa_prefixlen = p->len,
				 .ifa_flags = IFA_F_PERMANENT,
				 .ifa_index = index};
	struct netlink_message m;
	char text[PREFIX_TEXT];
	uint8_t broadcast[4];

	if (p->family == AF_INET6)
		body.ifa_flags |= IFA_F_NODAD; /* nobody else has it */
	netlink_begin(&m, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &body, sizeof(body));
	netlink_put(&m, IFA_LOCAL, p->bytes, prefix_size(p));
	netlink_put(&m, IFA_ADDRESS, p->bytes, prefix_size(p));
	if (p->family == AF_INET) {
		uint32_t host = UINT32_MAX >> p->len;

		for (size_t i = 0; i < 4; i++)
			broadcast[i] = p->bytes[i] | (uint8_t)(host >> (24 - 8 * i));
		netlink_put(&m, IFA_BROADCAST, broadcast, sizeof(broadcast));
	}
	return ask(&m, e) < 0 ? verr_os(e, "set the address %s", prefix_text(p, text)) : 0;
}

int links_bring_up(unsigned index, unsigned master, struct verr *e)
{
	struct ifinfomsg body = {
		.ifi_index = (int)index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	struct netlink_message m;

	netlink_begin(&m, RTM_NEWLINK, 0, &body, sizeof(body));
	if (master != 0)
		netlink_put(&m, IFLA_MASTER, &master, sizeof(master));
	return ask(&m, e) < 0 ? verr_os(e, "bring up interface %u", index) : 0;
}

int links_delete(unsigned index, struct verr *e)
{
	struct ifinfomsg body = {.ifi_index = (int)index};
	struct netlink_message m;

	netlink_begin(&m, RTM_DELLINK, 0, &body, sizeof(body));
	return ask(&m, e) < 0 && errno != ENODEV ? verr_os(e, "remove interface %u", index) : 0;
}

int links_add_tap(const struct net_tap *tap, struct verr *e)
{
	struct ifreq r = {.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_TUN_EXCL)};
	auto_fd fd = open(CLONE_DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return verr_os(e, "open " CLONE_DEVICE " (run as root: modprobe tun)");
	if (tap->multi_queue)
		r.ifr_flags = (short)(r.ifr_flags | IFF_MULTI_QUEUE);
	memcpy(r.ifr_name, tap->name, sizeof(r.ifr_name));
	if (ioctl(fd, TUNSETIFF, &r) < 0 || ioctl(fd, TUNSETOWNER, (unsigned long)tap->owner) < 0 ||
	    ioctl(fd, TUNSETPERSIST, 1UL) < 0)
		return verr_os(e, "create the TAP %s", tap->name);
	return 0;
}
