/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a NIC's frames go to: a TAP device, or passt. A backend has as many queue pairs as the NIC.
 *
 * Frames travel behind a struct virtio_net_hdr_v1, with checksums and segments left to the other
 * side as that header says, within the features that were negotiated.
 */
#ifndef VOLT_VMM_DEVICES_NET_BACKEND_H
#define VOLT_VMM_DEVICES_NET_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/verr.h"

#define NET_PAIRS_MAX 16

/* The header before every frame (VIRTIO 1.2, 5.1.6). */
#define NET_HEADER_LEN 12

/* The longest frame: a segment of 64 KiB less one, its Ethernet header, and a VLAN tag. */
#define NET_FRAME_MAX (65535 + 14 + 4)

/* Feature bits that this system's headers may not have yet; VIRTIO 1.2, 5.1.3. */
#define NET_F_GUEST_USO4 54
#define NET_F_GUEST_USO6 55
#define NET_F_HOST_USO 56
#define NET_GSO_UDP_L4 5

struct net_backend;

struct net_exchange {
	const char *name;
	const int *fds;
	size_t count;
	uint64_t features;
	uint16_t pairs;
};

struct net_backend_class {
	const char *name; /* as --net-backend has it */

	/*
	 * Take one frame of a pair, header first; returns the length of both. -1 with errno:
	 * EAGAIN there is none; else the other side is gone. What has no room is cut off: the
	 * caller has room for NET_HEADER_LEN + NET_FRAME_MAX. The thread of the pair's loop.
	 */
	ssize_t (*receive)(struct net_backend *b, uint16_t pair, const struct iovec *iov, int niov);

	/*
	 * Give one frame, header first. -1 with errno when it is not taken; EBADFD, the other side
	 * is gone; EAGAIN, where there is a flush(), not now. The thread of the pair's loop.
	 */
	ssize_t (*send)(struct net_backend *b, uint16_t pair, const struct iovec *iov, int niov);

	/*
	 * Pass on what send() has taken and kept; false: the descriptor takes no more yet. NULL:
	 * nothing is ever kept. The thread of the pair's loop.
	 */
	bool (*flush)(struct net_backend *b, uint16_t pair);

	/* Use these features, a subset of `features`, from now on. No queue runs. */
	int (*set_features)(struct net_backend *b, uint64_t features, struct verr *e);

	/* The first `pairs` of them carry frames from now on. */
	int (*set_pairs)(struct net_backend *b, uint16_t pairs, struct verr *e);

	/* Is the host's side still there? Asked when `changes` is readable, which it reads empty.
	 */
	bool (*is_there)(struct net_backend *b);

	/*
	 * The guest goes on from a snapshot: its connections are of another host's side. NULL: it
	 * makes no difference. Before any queue runs.
	 */
	void (*restored)(struct net_backend *b);

	/*
	 * Take other descriptors (borrowed), one a pair, in place of those that it has, under the
	 * numbers of these: they are of the interface `name`, and of this backend's kind. They use
	 * `features`, a subset of its own, and their first `pairs` carry frames. A fault changes
	 * nothing. NULL: there is nothing to exchange. No queue runs.
	 */
	int (*exchange)(struct net_backend *b, const struct net_exchange *x, struct verr *e);

	void (*free)(struct net_backend *b);
};

struct net_backend {
	const struct net_backend_class *class;
	uint64_t features; /* of VIRTIO_NET_F_*: what it can do about checksums and segments */
	uint16_t pairs;
	uint16_t mtu;
	bool answers;         /* send() has made a frame to be received, whatever `fds` say */
	bool mac_is_fixed;    /* the guest has `mac`, and may have no other */
	bool lacks_multicast; /* and could not be made to have it */
	uint8_t mac[6];
	int fds[NET_PAIRS_MAX]; /* readable when a frame of the pair has come */
	int changes; /* readable when the host's interfaces change, for who sees no frames; or -1 */
};

static inline struct net_backend *net_backend_free(struct net_backend *b)
{
	if (b != NULL)
		b->class->free(b);
	return NULL;
}

#endif
