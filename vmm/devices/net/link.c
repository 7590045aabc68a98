/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/devices/net/link.h"

#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/netlink.h"
#include "base/own.h"

/* Ports of one bridge: BR_MAX_PORTS of the kernel's. */
#define PORTS_MAX 1024

static struct ifreq request_for(const char *name)
{
	struct ifreq r = {0};

	(void)snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	return r;
}

int link_open(struct verr *e)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? verr_os(e, "create a socket") : fd;
}

unsigned link_index(int link, const char *name)
{
	struct ifreq r = request_for(name);

	return ioctl(link, SIOCGIFINDEX, &r) < 0 ? 0 : (unsigned)r.ifr_ifindex;
}

bool link_exists(int link, unsigned index)
{
	struct ifreq r = {.ifr_ifindex = (int)index};

	return ioctl(link, SIOCGIFNAME, &r) == 0;
}

int link_watch(struct verr *e)
{
	const struct sockaddr_nl links = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	auto_fd fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&links, sizeof(links)) < 0)
		return verr_os(e, "watch the host's interfaces");
	return fd_take(&fd);
}

/* What the kernel says of an interface's kind. */
struct kind {
	bool is_macvtap;
	uint32_t queues; /* of a TUN or TAP device: those that are open */
};

static void read_kind(uint16_t type, const void *body, size_t size, void *context)
{
	static const char macvtap[] = "macvtap";
	size_t head = NLMSG_ALIGN(sizeof(struct ifinfomsg));
	struct kind *kind = context;
	const struct rtattr *info, *a;

	if (type != RTM_NEWLINK || size < head)
		return;
	info = netlink_find((const char *)body + head, size - head, IFLA_LINKINFO);
	a = netlink_find_in(info, IFLA_INFO_KIND);
	kind->is_macvtap = a != NULL && RTA_PAYLOAD(a) >= sizeof(macvtap) &&
			   memcmp(RTA_DATA(a), macvtap, sizeof(macvtap)) == 0;
	a = netlink_find_in(info, IFLA_INFO_DATA);
	kind->queues = netlink_u32(netlink_find_in(a, IFLA_TUN_NUM_QUEUES), 0);
}

/* Nothing of one that is not there. */
static struct kind kind_of(const char *name)
{
	struct ifinfomsg body = {0};
	struct verr e = VERR_INIT;
	struct netlink_message m;
	struct kind kind = {0};
	auto_fd fd = netlink_open(NETLINK_ROUTE, &e);

	netlink_begin(&m, RTM_GETLINK, 0, &body, sizeof(body));
	netlink_put_text(&m, IFLA_IFNAME, name);
	if (fd < 0 || netlink_get(fd, &m, read_kind, &kind) < 0)
		return (struct kind){0};
	return kind;
}

uint32_t link_open_queues(const char *name)
{
	return kind_of(name).queues;
}

bool link_is_macvtap(const char *name)
{
	return kind_of(name).is_macvtap;
}

bool link_get_mac(int link, const char *name, uint8_t mac[static 6])
{
	struct ifreq r = request_for(name);

	if (ioctl(link, SIOCGIFHWADDR, &r) < 0)
		return false;
	memcpy(mac, r.ifr_hwaddr.sa_data, 6);
	return true;
}

int link_up(int link, const char *name, struct verr *e)
{
	struct ifreq r = request_for(name);

	if (ioctl(link, SIOCGIFFLAGS, &r) < 0)
		return verr_invalid_os(e, "ask for the state of %s", name);
	if (r.ifr_flags & IFF_UP)
		return 0;
	r.ifr_flags |= IFF_UP;
	if (ioctl(link, SIOCSIFFLAGS, &r) < 0)
		return verr_invalid_os(e, "%s is down; run: ip link set %s up", name, name);
	return 0;
}

int link_up_for_all(int link, const char *name, bool *all, struct verr *e)
{
	struct ifreq r = request_for(name);

	if (ioctl(link, SIOCGIFFLAGS, &r) < 0)
		return verr_invalid_os(e, "ask for the state of %s", name);
	*all = r.ifr_flags & IFF_ALLMULTI;
	if (!*all) {
		r.ifr_flags |= IFF_ALLMULTI;
		*all = ioctl(link, SIOCSIFFLAGS, &r) == 0;
	}
	return link_up(link, name, e);
}

int link_set_mtu(int link, const char *name, uint32_t wanted, uint16_t *mtu, struct verr *e)
{
	struct ifreq r = request_for(name);
	uint32_t has;

	if (ioctl(link, SIOCGIFMTU, &r) < 0)
		return verr_invalid_os(e, "ask for the MTU of %s", name);
	has = (uint32_t)r.ifr_mtu;
	r.ifr_mtu = (int)wanted;
	if (wanted != 0 && wanted != has && ioctl(link, SIOCSIFMTU, &r) < 0 && wanted > has)
		return verr_invalid_os(e,
				       "mtu=%u, but that of %s is %u; run: ip link set %s mtu %u",
				       wanted, name, has, name, wanted);
	*mtu = (uint16_t)(wanted != 0 ? wanted : has);
	return 0;
}

/* One of the calls that every bridge has had since they exist; the interface is the bridge. */
static int ask_bridge(int link, const char *bridge, unsigned long call, void *at, size_t count)
{
	unsigned long args[] = {call, (unsigned long)at, count, 0};
	struct ifreq r = request_for(bridge);

	r.ifr_data = (void *)args;
	return ioctl(link, SIOCDEVPRIVATE, &r);
}

int link_check_bridge(int link, const char *bridge, struct verr *e)
{
	struct __bridge_info info;

	if (link_index(link, bridge) == 0)
		return verr_invalid(
			e, "there is no bridge %s; run as root: volt net setup --bridge %s", bridge,
			bridge);
	if (ask_bridge(link, bridge, BRCTL_GET_BRIDGE_INFO, &info, 0) < 0)
		return verr_invalid(e, "%s is no bridge; expected the name of one", bridge);
	return 0;
}

static bool has_port(int link, const char *bridge, unsigned index)
{
	int ports[PORTS_MAX] = {0};

	if (ask_bridge(link, bridge, BRCTL_GET_PORT_LIST, ports, PORTS_MAX) < 0)
		return false;
	for (size_t i = 0; i < PORTS_MAX; i++)
		if (ports[i] == (int)index)
			return true;
	return false;
}

int link_join_bridge(int link, const char *bridge, const char *name, struct verr *e)
{
	struct ifreq r = request_for(bridge);

	r.ifr_ifindex = (int)link_index(link, name);
	if (has_port(link, bridge, (unsigned)r.ifr_ifindex))
		return 0;
	if (ioctl(link, SIOCBRADDIF, &r) == 0)
		return 0;
	if (errno == EBUSY)
		return verr_invalid(e,
				    "%s belongs to another bridge than %s; run: ip link set %s "
				    "master %s",
				    name, bridge, name, bridge);
	return verr_invalid_os(e,
			       "cannot put %s on bridge %s; run as root: ip link set %s master %s",
			       name, bridge, name, bridge);
}
