/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A split virtqueue as the device sees it (VIRTIO 1.2, 2.7), with indirect descriptors and event
 * indices.
 *
 * The three areas lie in guest memory and change at any moment. Their places are checked once, when
 * the queue starts; each descriptor is copied once, and the copy is checked and used. What a guest
 * must not do makes queue_next() say CHAIN_BAD: the device then needs a reset, the host goes on.
 *
 * No locks here: whoever holds a queue (vmm/virtio/device.h) calls from one thread at a time.
 */
#ifndef VOLT_VMM_VIRTIO_QUEUE_H
#define VOLT_VMM_VIRTIO_QUEUE_H

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/compiler.h"
#include "vmm/mem/mem.h"

/* The largest queue that is offered; a power of two. */
#define QUEUE_SIZE_MAX 256

/* The most buffers of one chain: what a device offers its driver stays below (blk: seg_max). */
#define QUEUE_CHAIN_MAX 256

/* What the driver has set up: entries, and the guest physical addresses of the three areas. */
struct queue_setup {
	uint16_t size;
	uint64_t desc, avail, used;
};

struct queue {
	const struct mem *mem; /* borrowed; NULL: not started */
	const struct vring_desc *desc;
	const struct vring_avail *avail;
	struct vring_used *used;
	uint16_t size;
	uint16_t next_avail; /* of the next chain to take */
	uint16_t next_used;  /* of the next used entry to write */
	uint16_t asked_used; /* next_used at the last queue_should_interrupt() */
	bool indirect, event_idx;
};

/* One request: `nread` buffers that the device reads, then `nwrite` that it writes. */
struct chain {
	uint16_t head; /* for queue_put() */
	uint16_t nread, nwrite;
	uint32_t read_len, write_len; /* bytes */
	struct iovec iov[QUEUE_CHAIN_MAX];
};

enum chain_result {
	CHAIN_OK,
	CHAIN_EMPTY,
	CHAIN_BAD, /* the driver broke the rules: the device needs a reset */
};

/*
 * Begin with the areas where the driver says they are; `features` are those negotiated. False,
 * with nothing changed, when size, alignment or address is not what 2.7 asks for.
 */
V_MUST_CHECK bool queue_start(struct queue *q, const struct mem *mem,
			      const struct queue_setup *setup, uint64_t features);
void queue_stop(struct queue *q);

/* Go on where another has stopped that served it meanwhile; what it put is in guest memory. */
void queue_take_back(struct queue *q, uint16_t next_avail);

/* The next chain that the driver has made available, its buffers as host addresses. */
V_MUST_CHECK enum chain_result queue_next(struct queue *q, struct chain *chain);

/* Leave the chain that queue_next() gave last to a later call. Once, before the next one. */
void queue_undo(struct queue *q);

/* Hand a chain back; `len` bytes from the start of its writable part were written. */
void queue_put(struct queue *q, uint16_t head, uint32_t len);

/*
 * The same in two steps, for chains that the driver must see together: each is staged, then all
 * are published. At most as many as the queue's size between two calls of queue_publish().
 */
void queue_stage(struct queue *q, uint16_t head, uint32_t len);
void queue_publish(struct queue *q);

/*
 * A device that keeps buffers over a pause (pause() of its class leaves them) has written these:
 * said again when it hands them back, for what was noted when it got them may be forgotten.
 */
void queue_wrote(const struct queue *q, const struct iovec *iov, size_t count);

/*
 * Must the driver be told of what was put since this was last asked (2.7.7)? Ask once after each
 * batch, and interrupt when the answer is yes.
 */
V_MUST_CHECK bool queue_should_interrupt(struct queue *q);

/* Tell the driver that it need not notify (2.7.10): chains are being taken already. */
void queue_disarm(struct queue *q);

/* Ask for a notification again. True when chains came in between: nobody will notify of these. */
V_MUST_CHECK bool queue_arm(struct queue *q);

#endif
