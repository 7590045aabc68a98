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

/* Linux 6.2 and later; only both together. */
#define TAP_USO (0x20 | 0x40)

#define CLONE_DEVICE "/dev/net/tun"
#define NEW_NAME "volttap%d"

struct tap {
	struct net_backend backend; /* first */
	char name[IFNAMSIZ];
	uint16_t attached; /* pairs that the kernel gives frames to */
};

static struct tap *tap_of(const struct net_backend *b)
{
	return (struct tap *)(uintptr_t)b;
}

static ssize_t receive(struct net_backend *b, uint16_t pair, const struct iovec *iov, int niov)
{
	return readv(b->fds[pair], iov, niov);
}

static ssize_t send_frame(struct net_backend *b, uint16_t pair, const struct iovec *iov, int niov)
{
	return writev(b->fds[pair], iov, niov);
}

/* --- features --- */

/* Which of a NIC's features means what to the TAP: what the guest can take as it is. */
static const struct offload {
	unsigned feature, bits;
} offloads[] = {
	{VIRTIO_NET_F_GUEST_CSUM, TUN_F_CSUM},
	{VIRTIO_NET_F_GUEST_TSO4, TUN_F_TSO4},
	{VIRTIO_NET_F_GUEST_TSO6, TUN_F_TSO6},
	{VIRTIO_NET_F_GUEST_ECN, TUN_F_TSO_ECN},
	{NET_F_GUEST_USO4, 0x20},
	{NET_F_GUEST_USO6, 0x40},
};

static unsigned long offloads_of(uint64_t features)
{
	unsigned long bits = 0;

	for (size_t i = 0; i < ARRAY_LEN(offloads); i++)
		if (features >> offloads[i].feature & 1)
			bits |= offloads[i].bits;
	/* What a driver may not ask for alone (VIRTIO 1.2, 5.1.3.1), it does not get. */
	if (!(bits & TUN_F_CSUM))
		return 0;
	if (!(bits & (TUN_F_TSO4 | TUN_F_TSO6)))
		bits &= ~(unsigned long)TUN_F_TSO_ECN;
	return (bits & TAP_USO) == TAP_USO ? bits : bits & ~(unsigned long)TAP_USO;
}

static int set_features(struct net_backend *b, uint64_t features, struct verr *e)
{
	if (ioctl(b->fds[0], TUNSETOFFLOAD, offloads_of(features)) < 0)
		return verr_os(e, "set the offloads of %s", tap_name(b));
	return 0;
}

static uint64_t features_of(int fd)
{
	uint64_t uso = 1ULL << NET_F_GUEST_USO4 | 1ULL << NET_F_GUEST_USO6 | 1ULL << NET_F_HOST_USO;
	uint64_t f = 1ULL << VIRTIO_NET_F_CSUM | 1ULL << VIRTIO_NET_F_HOST_TSO4 |
		     1ULL << VIRTIO_NET_F_HOST_TSO6 | 1ULL << VIRTIO_NET_F_HOST_ECN;

	for (size_t i = 0; i < ARRAY_LEN(offloads); i++)
		f |= 1ULL << offloads[i].feature;
	if (ioctl(fd, TUNSETOFFLOAD, offloads_of(f | uso)) == 0)
		return f | uso;
	return f & ~uso;
}

/* --- pairs --- */

static int set_pairs(struct net_backend *b, uint16_t pairs, struct verr *e)
{
	struct tap *t = tap_of(b);
	struct ifreq attach = {.ifr_flags = IFF_ATTACH_QUEUE},
		     detach = {.ifr_flags = IFF_DETACH_QUEUE};

	for (; t->attached < pairs; t->attached++)
		if (ioctl(b->fds[t->attached], TUNSETQUEUE, &attach) < 0)
			return verr_os(e, "attach queue %u of %s", t->attached, t->name);
	for (; t->attached > pairs; t->attached--)
		if (ioctl(b->fds[t->attached - 1], TUNSETQUEUE, &detach) < 0)
			return verr_os(e, "detach queue %u of %s", t->attached - 1, t->name);
	return 0;
}

static void tap_free(struct net_backend *b)
{
	for (uint16_t i = 0; i < b->pairs; i++)
		fd_close(&b->fds[i]);
	free(tap_of(b));
}

static const struct net_backend_class tap_class = {
	.name = "virtio-net",
	.receive = receive,
	.send = send_frame,
	.set_features = set_features,
	.set_pairs = set_pairs,
	.free = tap_free,
};

const char *tap_name(const struct net_backend *b)
{
	return tap_of(b)->name;
}

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

/* --- descriptors of somebody else's --- */

static int check_given(const struct tap *t, int fd, const struct ifreq *r, struct verr *e)
{
	const short needed = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;

	if ((r->ifr_flags & needed) != needed)
		return verr_invalid(e,
				    "descriptor %d is one of %s without what is needed; expected "
				    "TUNSETIFF with IFF_TAP, IFF_NO_PI and IFF_VNET_HDR",
				    fd, r->ifr_name);
	if (t->name[0] != '\0' && strcmp(t->name, r->ifr_name) != 0)
		return verr_invalid(e,
				    "descriptor %d is one of %s, others of %s; expected one TAP's",
				    fd, r->ifr_name, t->name);
	return 0;
}

static int take_given(struct tap *t, int fd, int *out, struct verr *e)
{
	struct ifreq r = {0};
	int flags = fcntl(fd, F_GETFL), inherited = fcntl(fd, F_GETFD);

	/* What this process has opened itself by now does not count. */
	if (flags < 0 || inherited < 0 || inherited & FD_CLOEXEC)
		return verr_invalid(e, "descriptor %d was not open; expected that of a TAP", fd);
	if (ioctl(fd, TUNGETIFF, &r) < 0)
		return verr_invalid(e, "descriptor %d is not that of a TAP", fd);
	if (check_given(t, fd, &r, e) < 0)
		return -1;
	memcpy(t->name, r.ifr_name, sizeof(t->name));
	/* A copy, and the number is free: nobody can use it twice. */
	*out = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (*out < 0)
		return verr_os(e, "keep descriptor %d", fd);
	(void)close(fd);
	return fcntl(*out, F_SETFL, flags | O_NONBLOCK) < 0
		       ? verr_os(e, "make descriptor %d non-blocking", fd)
		       : 0;
}

static int open_given(struct tap *t, const struct tap_options *o, struct verr *e)
{
	const char *at = o->fds;

	for (uint16_t i = 0; i < o->pairs; i++) {
		char *end = NULL;
		long fd = strtol(at, &end, 10);

		if (end == at || fd < 0 || fd > INT32_MAX || (*end != ':' && *end != '\0') ||
		    (*end == '\0') != (i + 1 == o->pairs))
			return verr_invalid(
				e,
				"fd=%s: expected %u numbers, one a queue, with ':' between "
				"them",
				o->fds, o->pairs);
		if (take_given(t, (int)fd, &t->backend.fds[i], e) < 0)
			return -1;
		at = end + 1;
	}
	return 0;
}

/* --- making one --- */

static int build(struct tap *t, const struct tap_options *o, struct verr *e)
{
	auto_fd link = link_open(e);
	int header = NET_HEADER_LEN;

	if (link < 0 || (o->bridge != NULL && link_check_bridge(link, o->bridge, e) < 0))
		return -1;
	if ((o->fds != NULL ? open_given(t, o, e) : open_by_name(t, link, o, e)) < 0)
		return -1;
	for (uint16_t i = 0; i < o->pairs; i++)
		if (ioctl(t->backend.fds[i], TUNSETVNETHDRSZ, &header) < 0)
			return verr_os(e, "set the header's size of %s", t->name);
	if (link_set_mtu(link, t->name, o->mtu, &t->backend.mtu, e) < 0 ||
	    (o->bridge != NULL && link_join_bridge(link, o->bridge, t->name, e) < 0) ||
	    link_up(link, t->name, e) < 0)
		return -1;
	t->backend.features = features_of(t->backend.fds[0]);
	return set_features(&t->backend, 0, e);
}

int tap_new(const struct tap_options *o, struct net_backend **out, struct verr *e)
{
	struct tap *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return verr_host(e, "out of memory");
	t->backend.class = &tap_class;
	t->backend.pairs = t->attached = o->pairs;
	for (size_t i = 0; i < ARRAY_LEN(t->backend.fds); i++)
		t->backend.fds[i] = -1;
	if (build(t, o, e) < 0) {
		(void)net_backend_free(&t->backend);
		return -1;
	}
	*out = &t->backend;
	return 0;
}
