/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A NIC's pairs of queues, served by the host's kernel instead of this process (vhost-net). Frames
 * go between the guest's buffers and the TAP without an exit: notifications, interrupts and the
 * broken rules of a driver are eventfds between KVM, vhost and, for the last, the device's loop.
 *
 * The kernel gets host addresses of rings that have been checked, and the table of guest memory,
 * outside of which it reads and writes nothing. The control queue is not its business.
 */
#ifndef VOLT_VMM_DEVICES_NET_VHOST_NET_H
#define VOLT_VMM_DEVICES_NET_VHOST_NET_H

#include "vmm/devices/net/backend.h"
#include "vmm/virtio/device.h"

struct vhost_net;

/*
 * Open vhost for so many pairs. Where the host has none, or not for this user, *out is NULL and
 * *absent the errno that says so: no fault, for the NIC works without.
 */
V_MUST_CHECK int vhost_net_new(uint16_t pairs, struct vhost_net **out, int *absent, struct verr *e);

/* Every queue has ended. Accepts NULL, returns NULL. */
struct vhost_net *vhost_net_free(struct vhost_net *v);

/* What of a device's features is possible with it. */
uint64_t vhost_net_mask(const struct vhost_net *v, uint64_t features);

/* The queues to be served are the first of `dev`, whose loops do not run yet. */
V_MUST_CHECK int vhost_net_attach(struct vhost_net *v, struct vdev *dev, struct verr *e);

/* Bind it to this process, and to guest memory: after whatever moves the process elsewhere. */
V_MUST_CHECK int vhost_net_connect(struct vhost_net *v, const struct mem *mem, struct verr *e);

/* Of the queues that start from now on. */
V_MUST_CHECK int vhost_net_set_features(struct vhost_net *v, uint64_t features, struct verr *e);

/*
 * Serve a queue that runs, from `tap`, from its beginning or where it was halted; a driver whose
 * rings the kernel refuses has broken a rule. Nothing, where it is served already. Lock held.
 */
void vhost_net_start(struct vhost_net *v, struct vqueue *vq, int tap);

/*
 * When it returns, nothing of the queue touches guest memory any more, and its ring says where it
 * would go on. Lock held.
 */
void vhost_net_halt(struct vhost_net *v, struct vqueue *vq);

#endif
