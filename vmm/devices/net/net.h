/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtio NIC (VIRTIO 1.2, 5.1) over a backend. Theory of operation:
 *
 * A pair of queues carries frames, one for each direction, and is served by one loop; a backend's
 * pair n is the NIC's. Frames go straight between the guest's buffers and the backend. A turn moves
 * a bounded number of frames, so that a flood leaves other devices theirs; when the driver has
 * given no buffers, nothing is read until it does, and the host drops what has no place.
 *
 * All but the header of a frame to be sent, which is copied and checked, is the guest's data.
 *
 * Where vhost serves the pairs (vhost_net.h), the loop has the control queue only.
 */
#ifndef VOLT_VMM_DEVICES_NET_NET_H
#define VOLT_VMM_DEVICES_NET_NET_H

#include "vmm/devices/net/backend.h"
#include "vmm/devices/net/vhost_net.h"
#include "vmm/virtio/device.h"

#define NET_MAC_LEN 6

struct net;

struct net_rate {
	uint64_t rate, burst; /* a second; 0: no limit, and one second's worth */
	uint64_t once;        /* on top, and not given again */
};

/* What one direction may carry. */
struct net_limit {
	struct net_rate bytes, packets;
};

struct net_options {
	const char *id; /* for the log; at most 20 bytes are used */
	uint8_t mac[NET_MAC_LEN];
	uint16_t mtu; /* what the driver is told */
	struct net_limit rx, tx;
	bool unplugged;            /* the link is down until net_change_link() */
	struct loop *const *loops; /* pair n belongs to loop n modulo nloops */
	size_t nloops;
	struct vhost_net *vhost; /* serves the pairs in place of the loops; or NULL */
};

/* `backend` and `vhost` become the NIC's, also after a fault. The other options are borrowed. */
V_MUST_CHECK int net_new(const struct net_options *options, struct net_backend *backend,
			 struct net **out, struct verr *e);

/* After its loops have ended and the guest has stopped. Accepts NULL, returns NULL. */
struct net *net_free(struct net *net);

/* Plug the cable in, or pull it: no frame passes, and the driver is told. Loop's thread. */
void net_change_link(struct net *net, bool up);

/* Can it have these limits? vhost knows none. */
V_MUST_CHECK int net_check_limits(const struct net *net, const struct net_limit *rx,
				  const struct net_limit *tx, struct verr *e);

/* Other limits, from now on. Any thread. */
void net_change_limits(struct net *net, const struct net_limit *rx, const struct net_limit *tx);

/*
 * Another TAP device or macvtap in place of the one that it has: the interface `name`, by its
 * descriptors (borrowed), one a pair. No frame of the old one's comes from now on. After a fault
 * nothing has changed. The machine's loop.
 */
V_MUST_CHECK int net_exchange(struct net *net, const char *name, const int *fds, size_t count,
			      struct verr *e);

/* With `mem` as guest memory: before the guest's first instruction, in the process that runs it. */
V_MUST_CHECK int net_connect(struct net *net, const struct mem *mem, struct verr *e);

struct vdev *net_vdev(struct net *net);

/* While paused: what is not the transport's. net_apply() after the transport's, before it runs. */
void net_capture(struct net *net, struct net_state *out);
V_MUST_CHECK int net_apply(struct net *net, const struct net_state *in, struct verr *e);

/* The host's side has ended: the link is down from now on. Any thread. */
void net_gone(struct net *net);

/* The backend's, or vhost's. */
const char *net_backend_name(const struct net *net);

struct metric_group net_metrics(const struct net *net);

#endif
