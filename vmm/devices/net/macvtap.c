/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Macvtaps: one that is made for this process, one that there is, or descriptors of one. Its queues
 * are opened as /dev/tapN, N its index; each time that is opened there is one more.
 */
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>

#include "base/compiler.h"
#include "base/netlink.h"
#include "base/own.h"
#include "vmm/devices/net/link.h"
#include "vmm/devices/net/rtnl.h"
#include "vmm/devices/net/tap_priv.h"

#define NEW_NAME "voltmv%u"
#define NEW_NAMES 1000

#define FLAGS (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)

/* --- making one --- */

static int not_made(const struct tap_options *o, const char *name, struct verr *e)
{
	switch (errno) {
	case EEXIST:
		return verr_invalid(e,
				    "%s is there already; leave parent= out to use it, or run as "
				    "root: ip link del %s",
				    name, name);
	case EPERM:
		return verr_invalid(e,
				    "no right to make a macvtap on %s; run as root: ip link add "
				    "link %s name NAME type macvtap mode bridge, then chown "
				    "/dev/tapN, and give tap=NAME",
				    o->parent, o->parent);
	case EOPNOTSUPP:
		return verr_invalid(e, "this kernel has no macvtap; run as root: modprobe macvtap");
	case EBUSY:
		return verr_invalid(e,
				    "%s is a bridge's port, and cannot carry a macvtap; expected "
				    "bridge= with a TAP instead",
				    o->parent);
	default:
		return verr_invalid_os(e, "cannot make a macvtap on %s", o->parent);
	}
}

/* With the first name that is free, unless it has one. */
static int add_link(struct tap *t, const struct tap_options *o, int rtnl, unsigned parent)
{
	for (unsigned i = 0; i < NEW_NAMES; i++) {
		if (o->name != NULL)
			(void)snprintf(t->name, sizeof(t->name), "%s", o->name);
		else
			(void)snprintf(t->name, sizeof(t->name), NEW_NAME, i);
		if (rtnl_add_macvtap(rtnl, t->name, parent, o->mac) == 0)
			return 0;
		if (errno != EEXIST || o->name != NULL)
			return -1;
	}
	return -1;
}

static int make(struct tap *t, const struct tap_options *o, int link, struct verr *e)
{
	auto_fd rtnl = netlink_open(NETLINK_ROUTE, e);
	unsigned parent = link_index(link, o->parent), index;

	if (rtnl < 0)
		return -1;
	if (parent == 0)
		return verr_invalid(e,
				    "there is no interface %s to make a macvtap on; see: ip link",
				    o->parent);
	if (add_link(t, o, rtnl, parent) < 0)
		return not_made(o, t->name, e);
	index = link_index(link, t->name);
	if (keeper_new(index, &t->keeper, e) == 0)
		return 0;
	(void)rtnl_delete(rtnl, index);
	return -1;
}

/* --- opening one --- */

static int not_opened(const struct tap *t, const char *path, struct verr *e)
{
	switch (errno) {
	case EACCES:
	case EPERM:
		return verr_invalid(e,
				    "%s of the macvtap %s is not this user's; run as root: chown "
				    "USER %s",
				    path, t->name, path);
	case ENOENT:
	case ENXIO:
	case ENODEV:
		return verr_invalid(e,
				    "there is no %s for the macvtap %s; expected devtmpfs on /dev, "
				    "or fd=",
				    path, t->name);
	default:
		return verr_invalid_os(e, "cannot open %s of the macvtap %s", path, t->name);
	}
}

static int open_queues(struct tap *t, int link, struct verr *e)
{
	char path[32];
	struct ifreq is = {0};

	(void)snprintf(path, sizeof(path), "/dev/tap%u", link_index(link, t->name));
	for (uint16_t i = 0; i < t->backend.pairs; i++) {
		t->backend.fds[i] = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (t->backend.fds[i] < 0)
			return not_opened(t, path, e);
		/* Two machines with a queue each would each get a part of the frames. */
		if (i == 0 && flock(t->backend.fds[0], LOCK_EX | LOCK_NB) < 0)
			return verr_invalid(e,
					    "%s is in use by another process; give each machine a "
					    "macvtap of its own",
					    t->name);
	}
	/* Indices are a namespace's, the names in /dev are everybody's. */
	if (ioctl(t->backend.fds[0], TUNGETIFF, &is) < 0 || strcmp(is.ifr_name, t->name) != 0 ||
	    !tap_is_here(t, link))
		return verr_invalid(e,
				    "%s is not that of %s, but one of another network namespace; "
				    "expected fd=",
				    path, t->name);
	return 0;
}

static int open_by_name(struct tap *t, const struct tap_options *o, int link, struct verr *e)
{
	if (link_index(link, o->name) == 0)
		return verr_invalid(e,
				    "there is no macvtap %s; expected parent= to make one, or run "
				    "as root: ip link add link PARENT name %s type macvtap mode "
				    "bridge",
				    o->name, o->name);
	if (!link_is_macvtap(o->name))
		return verr_invalid(e, "%s is no macvtap; expected the name of one", o->name);
	(void)snprintf(t->name, sizeof(t->name), "%s", o->name);
	return open_queues(t, link, e);
}

/* --- all of them --- */

/* Frames for another address do not come, so the guest's is the macvtap's. */
static int take_mac(struct tap *t, const struct tap_options *o, struct verr *e)
{
	const uint8_t *want = o->mac, *is;
	struct ifreq r = {0};

	if (ioctl(t->backend.fds[0], SIOCGIFHWADDR, &r) < 0)
		return verr_os(e, "ask for the address of %s", t->name);
	memcpy(t->backend.mac, r.ifr_hwaddr.sa_data, sizeof(t->backend.mac));
	t->backend.mac_is_fixed = true;
	is = t->backend.mac;
	if (!o->mac_is_given || memcmp(is, want, sizeof(t->backend.mac)) == 0)
		return 0;
	return verr_invalid(e,
			    "mac=%02x:%02x:%02x:%02x:%02x:%02x, but the macvtap %s has "
			    "%02x:%02x:%02x:%02x:%02x:%02x; expected the same, or none",
			    want[0], want[1], want[2], want[3], want[4], want[5], t->name, is[0],
			    is[1], is[2], is[3], is[4], is[5]);
}

static int bring_up(struct tap *t, int link, struct verr *e)
{
	struct verr why = VERR_INIT;
	bool all = false;

	if (link_up_for_all(link, t->name, &all, &why) == 0) {
		t->backend.lacks_multicast = !all;
		return 0;
	}
	if (why.os == EADDRINUSE)
		return verr_invalid(e,
				    "the address of %s is another interface's on its parent; give "
				    "another with mac=",
				    t->name);
	if (why.os == ENETDOWN)
		return verr_invalid(e, "the parent of %s is down; run: ip link set PARENT up",
				    t->name);
	return verr_invalid(e, "%s", why.text);
}

static int set_up(struct tap *t, const struct tap_options *o, struct verr *e)
{
	struct ifreq flags = {.ifr_flags = FLAGS};

	for (uint16_t i = 0; i < t->backend.pairs; i++)
		if (ioctl(t->backend.fds[i], TUNSETIFF, &flags) < 0)
			return verr_os(e, "set up queue %u of %s", i, t->name);
	return take_mac(t, o, e) < 0 ? -1 : tap_finish(t, e);
}

static int build(struct tap *t, const struct tap_options *o, struct verr *e)
{
	auto_fd link = link_open(e);

	if (link < 0)
		return -1;
	if (o->fds != NULL) {
		if (tap_take_given(t, o->fds, e) < 0)
			return -1;
	} else if (o->parent == NULL) {
		if (open_by_name(t, o, link, e) < 0)
			return -1;
	} else if (make(t, o, link, e) < 0 || open_queues(t, link, e) < 0) {
		return -1;
	}
	if (set_up(t, o, e) < 0 || (o->watch && tap_watch(t, e) < 0))
		return -1;
	if (!tap_is_here(t, link)) {
		t->backend.mtu = o->mtu != 0 ? (uint16_t)o->mtu : TAP_MTU;
		return 0;
	}
	if (link_set_mtu(link, t->name, o->mtu, &t->backend.mtu, e) < 0)
		return -1;
	return bring_up(t, link, e);
}

int macvtap_new(const struct tap_options *o, struct net_backend **out, struct verr *e)
{
	struct tap *t = tap_alloc(TAP_OF_MACVTAP, o->pairs);

	if (t == NULL)
		return verr_host(e, "out of memory");
	if (build(t, o, e) < 0) {
		(void)net_backend_free(&t->backend);
		return -1;
	}
	*out = &t->backend;
	return 0;
}

bool tap_is_of_macvtap(const struct tap_options *o)
{
	char *end = NULL;
	long fd;

	if (o->parent != NULL)
		return true;
	if (o->fds == NULL)
		return o->name != NULL && link_is_macvtap(o->name);
	fd = strtol(o->fds, &end, 10);
	return end != o->fds && fd >= 0 && fd <= INT32_MAX && tap_fd_is_macvtap((int)fd);
}
