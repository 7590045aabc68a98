/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/devices/net/tap.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/compiler.h"
#include "base/own.h"
#include "vmm/devices/net/link.h"
#include "vmm/devices/net/tap_priv.h"

#define CLONE_DEVICE "/dev/net/tun"
#define NEW_NAME "volttap%d"

/* --- opening by name --- */

static int no_device(struct verr *e)
{
	if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
		return verr_invalid(e, CLONE_DEVICE " is not there; run as root: modprobe tun");
	return verr_invalid_os(e, "cannot open " CLONE_DEVICE);
}

static int refused(const struct tap *t, bool exists, struct verr *e)
{
	const char *multi = t->backend.pairs > 1 ? " multi_queue" : "";

	switch (errno) {
	case EBUSY:
		return verr_invalid(e,
				    "%s is in use by another process; give each machine a TAP "
				    "of its own",
				    t->name);
	case EPERM:
		if (exists)
			return verr_invalid(
				e,
				"%s is not this user's; run as root: ip link del %s; ip "
				"tuntap add %s mode tap%s user USER",
				t->name, t->name, t->name, multi);
		return verr_invalid(e,
				    "no TAP %s, and no right to make one; run as root: volt net "
				    "setup --tap %s --owner USER%s",
				    t->name, t->name, t->backend.pairs > 1 ? " --multi-queue" : "");
	case EINVAL:
		if (exists && t->backend.pairs > 1)
			return verr_invalid(
				e,
				"%s is no TAP with several queues; run as root: ip tuntap "
				"add %s mode tap multi_queue",
				t->name, t->name);
		if (exists)
			return verr_invalid(e, "%s is no TAP device; expected the name of one",
					    t->name);
		return verr_invalid(e, "%s is no name for an interface", t->name);
	default:
		return verr_invalid_os(e, "cannot open the TAP %s", t->name);
	}
}

/* One more queue; the first gives the device its name. */
static int open_queue(struct tap *t, short flags, int *out)
{
	struct ifreq r = {.ifr_flags = flags};
	auto_fd fd = open(CLONE_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -1;
	memcpy(r.ifr_name, t->name, sizeof(r.ifr_name));
	if (ioctl(fd, TUNSETIFF, &r) < 0)
		return -1;
	memcpy(t->name, r.ifr_name, sizeof(t->name));
	*out = fd_take(&fd);
	return 0;
}

static int open_by_name(struct tap *t, int link, const struct tap_options *o, struct verr *e)
{
	const char *name = o->name != NULL ? o->name : NEW_NAME;
	short flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
	bool exists = link_index(link, name) != 0;

	if (access(CLONE_DEVICE, R_OK | W_OK) < 0)
		return no_device(e);
	(void)snprintf(t->name, sizeof(t->name), "%s", name);
	/* One that can have several queues has them in several processes, too. */
	if (exists && link_open_queues(name) > 0) {
		errno = EBUSY;
		return refused(t, exists, e);
	}
	if (o->pairs > 1)
		flags |= IFF_MULTI_QUEUE;
	for (uint16_t i = 0; i < o->pairs; i++) {
		int r = open_queue(t, flags, &t->backend.fds[i]);

		/* One queue of a device that can have several. */
		if (r < 0 && errno == EINVAL && exists && o->pairs == 1)
			r = open_queue(t, flags | IFF_MULTI_QUEUE, &t->backend.fds[i]);
		if (r < 0)
			return refused(t, exists, e);
	}
	return 0;
}

/* --- making one --- */

/* Of an interface in another namespace nothing is known but what it says itself. */
static int set_up(struct tap *t, const struct tap_options *o, int link, struct verr *e)
{
	if (!tap_is_here(t, link)) {
		if (o->bridge != NULL)
			return verr_invalid(e,
					    "%s is in another network namespace than %s; expected "
					    "both in one",
					    t->name, o->bridge);
		t->backend.mtu = o->mtu != 0 ? (uint16_t)o->mtu : TAP_MTU;
		return 0;
	}
	if (link_set_mtu(link, t->name, o->mtu, &t->backend.mtu, e) < 0 ||
	    (o->bridge != NULL && link_join_bridge(link, o->bridge, t->name, e) < 0))
		return -1;
	return link_up(link, t->name, e);
}

static int build(struct tap *t, const struct tap_options *o, struct verr *e)
{
	auto_fd link = link_open(e);

	if (link < 0 || (o->bridge != NULL && link_check_bridge(link, o->bridge, e) < 0))
		return -1;
	if ((o->fds != NULL ? tap_take_given(t, o->fds, e) : open_by_name(t, link, o, e)) < 0)
		return -1;
	if (set_up(t, o, link, e) < 0 || (o->watch && tap_watch(t, e) < 0))
		return -1;
	return tap_finish(t, e);
}

int tap_new(const struct tap_options *o, struct net_backend **out, struct verr *e)
{
	struct tap *t = tap_alloc(TAP_OF_TUN, o->pairs);

	if (t == NULL)
		return verr_host(e, "out of memory");
	if (build(t, o, e) < 0) {
		(void)net_backend_free(&t->backend);
		return -1;
	}
	*out = &t->backend;
	return 0;
}
