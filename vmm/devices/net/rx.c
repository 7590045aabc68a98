/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames to the guest. Chains are taken from the driver before there is a frame, as many as the
 * longest needs, and kept until they are used: each is looked at once. A frame is read into them
 * in one go, with room behind them for what does not fit; when the driver can give more, it waits
 * for that (with VIRTIO_NET_F_MRG_RXBUF), else it is dropped.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/devices/net/frame.h"
#include "vmm/devices/net/net_priv.h"

#define VLAN_LEN 4

enum hold_result {
	HOLD_ENOUGH,
	HOLD_SHORT, /* the driver has given no more; it will notify */
	HOLD_FULL,  /* no more can be held */
	HOLD_BROKEN,
};

static bool merges(const struct net_rx *rx)
{
	return vdev_has(&rx->net->dev, VIRTIO_NET_F_MRG_RXBUF);
}

/* Put the chain that was taken last behind those held; false: there is no room for its buffers. */
static bool keep(struct net_rx *rx)
{
	const struct chain *c = &rx->chain;

	if (rx->first_iov + rx->niov + c->nwrite > RX_IOV) {
		memmove(rx->iov, rx->iov + rx->first_iov, rx->niov * sizeof(*rx->iov));
		rx->first_iov = 0;
	}
	if (rx->niov + c->nwrite > RX_IOV)
		return false;
	memcpy(rx->iov + rx->first_iov + rx->niov, c->iov, c->nwrite * sizeof(*c->iov));
	rx->held[(rx->first + rx->nheld++) % QUEUE_SIZE_MAX] =
		(struct rx_chain){.head = c->head, .niov = c->nwrite, .len = c->write_len};
	rx->niov += c->nwrite;
	rx->room += c->write_len;
	return true;
}

static enum hold_result take_chain(struct net_rx *rx)
{
	struct queue *ring = &rx->vq->ring;

	if (rx->nheld == ring->size)
		return HOLD_FULL;
	switch (queue_next(ring, &rx->chain)) {
	case CHAIN_EMPTY:
		return HOLD_SHORT;
	case CHAIN_BAD:
		vqueue_broken(rx->vq, "a chain of descriptors that breaks the rules");
		return HOLD_BROKEN;
	case CHAIN_OK:
		break;
	}
	if (rx->chain.nread > 0 || rx->chain.write_len < NET_HEADER_LEN) {
		vqueue_broken(rx->vq, "a receive buffer without room for a header");
		return HOLD_BROKEN;
	}
	if (keep(rx))
		return HOLD_ENOUGH;
	queue_undo(ring);
	return HOLD_FULL;
}

/* Hold chains for `want` bytes, or as many as there are. */
static enum hold_result hold(struct net_rx *rx, size_t want)
{
	enum hold_result r = HOLD_ENOUGH;
	bool armed = false;

	while (rx->room < want && r == HOLD_ENOUGH) {
		r = take_chain(rx);
		if (r != HOLD_SHORT || !queue_arm(&rx->vq->ring))
			continue;
		/* A driver that moves its index to and fro keeps nobody here. */
		if (armed)
			vqueue_kick(rx->vq);
		else
			r = HOLD_ENOUGH;
		armed = true;
	}
	return r;
}

/* How much is held before a frame is read. */
static size_t wanted(const struct net_rx *rx)
{
	const struct vdev *dev = &rx->net->dev;

	if (!merges(rx))
		return 1; /* one chain */
	if (vdev_has(dev, VIRTIO_NET_F_GUEST_TSO4) || vdev_has(dev, VIRTIO_NET_F_GUEST_TSO6) ||
	    vdev_has(dev, NET_F_GUEST_USO4) || vdev_has(dev, NET_F_GUEST_USO6))
		return NET_HEADER_LEN + NET_FRAME_MAX;
	return NET_HEADER_LEN + ETH_HLEN + VLAN_LEN + (size_t)rx->net->mtu;
}

/* --- one frame --- */

/* Into the held buffers, and what has no room there aside; false: there is none. */
static bool read_frame(struct net_rx *rx)
{
	struct net_backend *b = rx->net->backend;
	struct iovec *iov = rx->iov + rx->first_iov;
	ssize_t n;

	iov[rx->niov] =
		(struct iovec){.iov_base = rx->spill, .iov_len = NET_HEADER_LEN + NET_FRAME_MAX};
	do
		n = b->class->receive(b, rx->pair, iov, (int)rx->niov + 1);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EAGAIN)
		net_lost(rx->net, rx->pair, errno);
	if (n < 0)
		return false;
	rx->frame = (size_t)n;
	rx->placed = rx->spilled_at = MIN(rx->frame, rx->room);
	return true;
}

static void drop_frame(struct net_rx *rx)
{
	rx->frame = 0;
	counter_add(&rx->net->counters.rx_dropped, 1);
}

/* More buffers for a frame that did not fit; false: it waits for them. */
static bool find_room(struct net_rx *rx)
{
	enum hold_result r = HOLD_FULL;

	if (merges(rx))
		r = hold(rx, rx->frame);
	rx->placed += iov_write(rx->iov + rx->first_iov, rx->niov, rx->placed,
				rx->spill + (rx->placed - rx->spilled_at), rx->frame - rx->placed);
	if (rx->placed == rx->frame)
		return true;
	if (r == HOLD_FULL)
		drop_frame(rx);
	return r == HOLD_FULL;
}

/* Hand the frame to the driver, in as many chains as it takes (5.1.6.4). */
static void put_frame(struct net_rx *rx)
{
	struct queue *ring = &rx->vq->ring;
	size_t left = rx->frame;
	uint16_t count = 0;
	uint8_t bytes[2];

	for (size_t sum = 0; sum < left; count++)
		sum += rx->held[(rx->first + count) % QUEUE_SIZE_MAX].len;
	bytes[0] = (uint8_t)count;
	bytes[1] = (uint8_t)(count >> 8);
	(void)iov_write(rx->iov + rx->first_iov, rx->niov,
			offsetof(struct virtio_net_hdr_v1, num_buffers), bytes, sizeof(bytes));
	for (; count > 0; count--) {
		const struct rx_chain *c = &rx->held[rx->first];
		uint32_t len = (uint32_t)MIN(c->len, left);

		queue_wrote(ring, rx->iov + rx->first_iov, c->niov);
		queue_stage(ring, c->head, len);
		left -= len;
		rx->first = (rx->first + 1) % QUEUE_SIZE_MAX;
		rx->nheld--;
		rx->first_iov += c->niov;
		rx->niov -= c->niov;
		rx->room -= c->len;
	}
	/* All at once: the driver counts on the rest when it sees the first. */
	queue_publish(ring);
	counter_add(&rx->net->counters.rx_packets, 1);
	counter_add(&rx->net->counters.rx_bytes, rx->frame - NET_HEADER_LEN);
	rx->frame = 0;
}

/* False: no frame, no buffers, or not now. */
static bool receive_one(struct net_rx *rx)
{
	uint64_t wait_ns;

	if (rx->frame == 0) {
		wait_ns = net_gate_wait(&rx->net->rx_gate);
		if (wait_ns > 0) {
			loop_timer_arm(&rx->timer, wait_ns / 1000 + 1);
			return false;
		}
		if (hold(rx, wanted(rx)) == HOLD_BROKEN || rx->nheld == 0 || !read_frame(rx))
			return false;
		net_gate_take(&rx->net->rx_gate, rx->frame - MIN(rx->frame, NET_HEADER_LEN));
		if (rx->frame < NET_HEADER_LEN + ETH_HLEN) {
			drop_frame(rx);
			return true;
		}
	}
	if (rx->placed < rx->frame && !find_room(rx))
		return false;
	if (rx->frame > 0)
		put_frame(rx);
	return true;
}

void rx_serve(struct net_rx *rx)
{
	unsigned moved = 0;
	bool more = net_is_up(rx->net) && rx->pair < atomic_load(&rx->net->active_pairs);

	if (rx->exchanged) {
		loop_disable(&rx->readable);
		loop_enable(&rx->readable);
		rx->exchanged = false;
	}
	queue_disarm(&rx->vq->ring);
	while (more && moved++ < NET_TURN)
		more = receive_one(rx);
	if (more)
		vqueue_kick(rx->vq);
	vqueue_interrupt(rx->vq);
}

/* A loop that does not get the lock misses nothing: a queue that starts is kicked. */
static void on_ready(void *arg)
{
	struct net_rx *rx = arg;

	if (!vqueue_try_lock(rx->vq))
		return;
	if (net_runs(rx->vq))
		rx_serve(rx);
	(void)pthread_mutex_unlock(&rx->vq->lock);
}

void rx_drain(struct net_rx *rx)
{
	rx->first = rx->nheld = rx->first_iov = rx->niov = 0;
	rx->room = rx->frame = 0;
}

/* A frame that waits for room is the old network's. A queue that goes on, or starts, is kicked. */
void rx_exchanged(struct net_rx *rx)
{
	(void)pthread_mutex_lock(&rx->vq->lock);
	rx->frame = 0;
	rx->exchanged = true;
	(void)pthread_mutex_unlock(&rx->vq->lock);
}

int rx_init(struct net_rx *rx, struct net *net, uint16_t pair, struct verr *e)
{
	rx->net = net;
	rx->vq = net->dev.queues + (size_t)2 * pair;
	rx->pair = pair;
	rx->readable = rx->timer = (struct loop_source)LOOP_SOURCE_INIT;
	rx->spill = malloc(NET_HEADER_LEN + NET_FRAME_MAX);
	if (rx->spill == NULL)
		return verr_host(e, "out of memory");
	if (loop_timer_init(&rx->timer, rx->vq->loop, on_ready, rx, e) < 0 ||
	    loop_edge_init(&rx->readable, rx->vq->loop, net->backend->fds[pair], on_ready, rx, e) <
		    0)
		return -1;
	loop_enable(&rx->readable);
	return 0;
}

void rx_deinit(struct net_rx *rx)
{
	loop_source_deinit(&rx->readable);
	loop_source_deinit(&rx->timer);
	free(rx->spill);
}
