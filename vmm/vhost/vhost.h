/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vhost-net's ioctls, one function each, and nothing else: no policy, no order. Structures and
 * meanings are those of <linux/vhost.h>, which this room alone includes.
 *
 * One descriptor is one pair of queues: 0 receives, 1 transmits. From vhost_set_owner() on it works
 * only in the process that called it, whose memory the kernel then reads and writes. Any thread,
 * one at a time for a queue.
 */
#ifndef VOLT_VMM_VHOST_VHOST_H
#define VOLT_VMM_VHOST_VHOST_H

#include <stddef.h>
#include <stdint.h>

#include "base/verr.h"

#define VHOST_REGIONS_MAX 2
#define VHOST_PATH "/dev/vhost-net"

/* A run of guest physical addresses and where this process has it. */
struct vhost_region {
	uint64_t gpa, len;
	void *host;
};

/* Where a queue's three areas are, checked by the caller; no address of the guest's. */
struct vhost_ring {
	const void *desc, *avail;
	void *used;
};

/* VHOST_PATH; -1 with errno, for whether there is another way is the caller's to know. */
V_MUST_CHECK int vhost_open(void);

V_MUST_CHECK int vhost_get_features(int fd, uint64_t *features, struct verr *e);
V_MUST_CHECK int vhost_set_features(int fd, uint64_t features, struct verr *e);

/* Bind it to this process's memory. The kernel may make a thread, also one of this process. */
V_MUST_CHECK int vhost_set_owner(int fd, struct verr *e);

/* All that chains may name; at most VHOST_REGIONS_MAX, each of whole pages. */
V_MUST_CHECK int vhost_set_memory(int fd, const struct vhost_region *regions, size_t count,
				  struct verr *e);

/* Eventfds: the driver notifies, the driver is interrupted, the driver broke a rule. */
V_MUST_CHECK int vhost_set_kick(int fd, unsigned queue, int eventfd, struct verr *e);
V_MUST_CHECK int vhost_set_call(int fd, unsigned queue, int eventfd, struct verr *e);
V_MUST_CHECK int vhost_set_err(int fd, unsigned queue, int eventfd, struct verr *e);

/* VHOST_SET_VRING_NUM, _BASE and _ADDR of a queue without a backend. */
V_MUST_CHECK int vhost_set_size(int fd, unsigned queue, uint16_t size, struct verr *e);
V_MUST_CHECK int vhost_set_base(int fd, unsigned queue, uint16_t next_avail, struct verr *e);
V_MUST_CHECK int vhost_set_addresses(int fd, unsigned queue, const struct vhost_ring *ring,
				     struct verr *e);

/*
 * VHOST_NET_SET_BACKEND: serve the queue from this TAP; -1: stop, and when it returns nothing of
 * the queue touches guest memory any more.
 */
V_MUST_CHECK int vhost_net_set_backend(int fd, unsigned queue, int tap, struct verr *e);

/* VHOST_GET_VRING_BASE: where a stopped queue would go on. */
V_MUST_CHECK int vhost_get_base(int fd, unsigned queue, uint16_t *next_avail, struct verr *e);

#endif
