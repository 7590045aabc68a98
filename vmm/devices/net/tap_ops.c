/* SPDX-License-Identifier: Apache-2.0 */
/* What TAP devices and macvtaps have in common: descriptors that carry frames, and how they are
 * asked. */
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/compiler.h"
#include "base/own.h"
#include "vmm/devices/net/link.h"
#include "vmm/devices/net/tap_priv.h"

/* Linux 6.2 and later; only both together. */
#define TAP_USO (0x20 | 0x40)

/* Of /dev/net/tun. */
#define TUN_MAJOR 10
#define TUN_MINOR 200

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
		return verr_os(e, "set the offloads of %s", tap_of(b)->name);
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

/* --- its end --- */

int tap_watch(struct tap *t, struct verr *e)
{
	t->link = link_open(e);
	if (t->link < 0)
		return -1;
	if (!tap_is_here(t, t->link))
		return 0;
	t->index = link_index(t->link, t->name);
	t->backend.changes = link_watch(e);
	return t->backend.changes < 0 ? -1 : 0;
}

/* What exactly has changed does not matter, nor whether the kernel had no room to say it. */
static bool is_there(struct net_backend *b)
{
	const struct tap *t = tap_of(b);
	char bytes[4096];
	ssize_t n;

	do
		n = read(b->changes, bytes, sizeof(bytes));
	while (n > 0 || (n < 0 && (errno == EINTR || errno == ENOBUFS)));
	/* Of what has taken the first one's place nothing is known. */
	return t->index == 0 || link_exists(t->link, t->index);
}

static void tap_free(struct net_backend *b)
{
	struct tap *t = tap_of(b);

	fd_close(&b->changes);
	fd_close(&t->link);
	for (uint16_t i = 0; i < b->pairs; i++)
		fd_close(&b->fds[i]);
	t->keeper = keeper_free(t->keeper);
	free(t);
}

/* They differ in their names only. */
#define TAP_CLASS(text)                                                                     \
	{                                                                                   \
		.name = text, .receive = receive, .send = send_frame,                       \
		.set_features = set_features, .set_pairs = set_pairs, .is_there = is_there, \
		.exchange = tap_exchange, .free = tap_free                                  \
	}

static const struct net_backend_class classes[] = {
	[TAP_OF_TUN] = TAP_CLASS("virtio-net"),
	[TAP_OF_MACVTAP] = TAP_CLASS("macvtap"),
};

struct tap *tap_alloc(enum tap_kind kind, uint16_t pairs)
{
	struct tap *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->kind = kind;
	t->link = t->backend.changes = -1;
	t->backend.class = &classes[kind];
	t->backend.pairs = t->attached = pairs;
	for (size_t i = 0; i < ARRAY_LEN(t->backend.fds); i++)
		t->backend.fds[i] = -1;
	return t;
}

const char *tap_name(const struct net_backend *b)
{
	return tap_of(b)->name;
}

int tap_finish(struct tap *t, struct verr *e)
{
	int header = NET_HEADER_LEN;

	for (uint16_t i = 0; i < t->backend.pairs; i++)
		if (ioctl(t->backend.fds[i], TUNSETVNETHDRSZ, &header) < 0)
			return verr_os(e, "set the header's size of %s", t->name);
	t->backend.features = features_of(t->backend.fds[0]);
	return set_features(&t->backend, 0, e);
}

/* --- descriptors of somebody else's --- */

static const char *kind_name(const struct tap *t)
{
	return t->kind == TAP_OF_MACVTAP ? "macvtap" : "TAP";
}

bool tap_fd_is_macvtap(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) &&
	       st.st_rdev != makedev(TUN_MAJOR, TUN_MINOR);
}

/* `number` is what its owner calls it. The first one gives the name. */
static int check_given(struct tap *t, int fd, int number, struct verr *e)
{
	const short needed = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
	struct ifreq r = {0};

	if (ioctl(fd, TUNGETIFF, &r) < 0)
		return verr_invalid(e, "descriptor %d is not that of a %s", number, kind_name(t));
	if (tap_fd_is_macvtap(fd) != (t->kind == TAP_OF_MACVTAP))
		return verr_invalid(e, "descriptor %d is one of the %s %s; expected %s", number,
				    t->kind == TAP_OF_MACVTAP ? "TAP" : "macvtap", r.ifr_name,
				    t->kind == TAP_OF_MACVTAP
					    ? "that of a macvtap, or backend=virtio-net"
					    : "that of a TAP, or backend=macvtap");
	if ((r.ifr_flags & needed) != needed)
		return verr_invalid(e,
				    "descriptor %d is one of %s without what is needed; expected "
				    "TUNSETIFF with IFF_TAP, IFF_NO_PI and IFF_VNET_HDR",
				    number, r.ifr_name);
	if (t->name[0] != '\0' && strcmp(t->name, r.ifr_name) != 0)
		return verr_invalid(e,
				    "descriptor %d is one of %s, others of %s; expected one %s's",
				    number, r.ifr_name, t->name, kind_name(t));
	memcpy(t->name, r.ifr_name, sizeof(t->name));
	return 0;
}

static int take_given(struct tap *t, int fd, int *out, struct verr *e)
{
	int flags = fcntl(fd, F_GETFL), inherited = fcntl(fd, F_GETFD);

	/* What this process has opened itself by now does not count. */
	if (flags < 0 || inherited < 0 || inherited & FD_CLOEXEC)
		return verr_invalid(e, "descriptor %d was not open; expected that of a %s", fd,
				    kind_name(t));
	if (check_given(t, fd, fd, e) < 0)
		return -1;
	/* A copy, and the number is free: nobody can use it twice. */
	*out = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (*out < 0)
		return verr_os(e, "keep descriptor %d", fd);
	(void)close(fd);
	return fcntl(*out, F_SETFL, flags | O_NONBLOCK) < 0
		       ? verr_os(e, "make descriptor %d non-blocking", fd)
		       : 0;
}

int tap_take_given(struct tap *t, const char *fds, struct verr *e)
{
	uint16_t pairs = t->backend.pairs;
	const char *at = fds;

	for (uint16_t i = 0; i < pairs; i++) {
		char *end = NULL;
		long fd = strtol(at, &end, 10);

		if (end == at || fd < 0 || fd > INT32_MAX || (*end != ':' && *end != '\0') ||
		    (*end == '\0') != (i + 1 == pairs))
			return verr_invalid(
				e,
				"fd=%s: expected %u numbers, one a queue, with ':' between "
				"them",
				fds, pairs);
		if (take_given(t, (int)fd, &t->backend.fds[i], e) < 0)
			return -1;
		at = end + 1;
	}
	return 0;
}

/*
 * One that somebody in another network namespace has opened has a name there: what has it here, if
 * anything, is another interface. Addresses tell.
 */
bool tap_is_here(const struct tap *t, int link)
{
	struct ifreq theirs = {0};
	uint8_t mac[TAP_MAC_LEN];

	return ioctl(t->backend.fds[0], SIOCGIFHWADDR, &theirs) == 0 &&
	       link_get_mac(link, t->name, mac) &&
	       memcmp(mac, theirs.ifr_hwaddr.sa_data, sizeof(mac)) == 0;
}

/* --- others in the place of those that there are --- */

static int check_others(struct tap *t, const struct net_exchange *x, struct verr *e)
{
	if (x->count != t->backend.pairs)
		return verr_invalid(e,
				    "%zu descriptors came, and it has %u pairs of queues; expected "
				    "one for each: queues=%u",
				    x->count, t->backend.pairs, t->backend.pairs);
	for (size_t i = 0; i < x->count; i++) {
		int flags = fcntl(x->fds[i], F_GETFL);

		if (check_given(t, x->fds[i], (int)i + 1, e) < 0)
			return -1;
		if (fcntl(x->fds[i], F_SETFL, flags | O_NONBLOCK) < 0)
			return verr_os(e, "make a descriptor of %s non-blocking", t->name);
		t->backend.fds[i] = x->fds[i];
	}
	if (strcmp(t->name, x->name) != 0)
		return verr_invalid(e, "the descriptors are of %s; expected %s's", t->name,
				    x->name);
	return 0;
}

static int check_mac(const struct tap *t, struct verr *e)
{
	const uint8_t *mac = t->backend.mac;
	struct ifreq is = {0};

	if (!t->backend.mac_is_fixed || (ioctl(t->backend.fds[0], SIOCGIFHWADDR, &is) == 0 &&
					 memcmp(is.ifr_hwaddr.sa_data, mac, TAP_MAC_LEN) == 0))
		return 0;
	return verr_invalid(e,
			    "%s has not the guest's address; run as root: ip link set %s address "
			    "%02x:%02x:%02x:%02x:%02x:%02x",
			    t->name, t->name, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

int tap_exchange(struct net_backend *b, const struct net_exchange *x, struct verr *e)
{
	struct tap *t = tap_of(b), other = *t;

	other.name[0] = '\0';
	other.attached = b->pairs;
	if (check_others(&other, x, e) < 0 || check_mac(&other, e) < 0 || tap_finish(&other, e) < 0)
		return -1;
	if (b->features & ~other.backend.features)
		return verr_invalid(e, "%s can do less about checksums and segments than %s",
				    other.name, t->name);
	if (set_features(&other.backend, x->features, e) < 0 ||
	    set_pairs(&other.backend, x->pairs, e) < 0)
		return -1;
	/* Over what is open this cannot fail half-way. */
	for (uint16_t i = 0; i < b->pairs; i++)
		if (dup3(x->fds[i], b->fds[i], O_CLOEXEC) < 0)
			return verr_os(e, "exchange descriptors of %s", t->name);
	memcpy(t->name, other.name, sizeof(t->name));
	t->attached = other.attached;
	t->index = 0;
	t->keeper = keeper_free(t->keeper);
	return 0;
}
