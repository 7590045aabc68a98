/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames from the guest. The header is copied and checked, and the copy goes in front of the
 * guest's own buffers. A frame with a header that makes no sense, and one that the host does not
 * take, is dropped: every chain is handed back.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <string.h>

#include "vmm/devices/net/frame.h"
#include "vmm/devices/net/net_priv.h"

/* Give the frame to the backend; false: it is dropped, and that is counted. */
static bool send_frame(struct net_tx *tx, size_t len)
{
	struct net_backend *b = tx->net->backend;
	const struct chain *c = &tx->chain;
	struct virtio_net_hdr_v1 header;
	size_t niov;
	ssize_t n;

	if (iov_read(c->iov, c->nread, 0, &header, sizeof(header)) < sizeof(header) ||
	    !frame_check(&header, len, tx->net->dev.features)) {
		counter_add(&tx->net->counters.tx_bad_headers, 1);
		return false;
	}
	tx->iov[0] = (struct iovec){.iov_base = &header, .iov_len = sizeof(header)};
	niov = iov_skip(c->iov, c->nread, sizeof(header), tx->iov + 1) + 1;
	if (!net_is_up(tx->net)) {
		counter_add(&tx->net->counters.tx_dropped, 1);
		return false;
	}
	do
		n = b->class->send(b, tx->pair, tx->iov, (int)niov);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return true;
	if (errno == EBADFD)
		net_lost(tx->net, tx->pair, errno);
	counter_add(&tx->net->counters.tx_dropped, 1);
	return false;
}

static void send_chain(struct net_tx *tx)
{
	struct net_counters *n = &tx->net->counters;
	size_t len = tx->chain.read_len - MIN(tx->chain.read_len, NET_HEADER_LEN);

	net_gate_take(&tx->net->tx_gate, len);
	if (send_frame(tx, len)) {
		counter_add(&n->tx_packets, 1);
		counter_add(&n->tx_bytes, len);
	}
	queue_put(&tx->vq->ring, tx->chain.head, 0);
}

/* False: there is none, or not now. */
static bool send_one(struct net_tx *tx)
{
	struct queue *ring = &tx->vq->ring;
	uint64_t wait_ns = net_gate_wait(&tx->net->tx_gate);

	if (wait_ns > 0) {
		loop_timer_arm(&tx->timer, wait_ns / 1000 + 1);
		return false;
	}
	switch (queue_next(ring, &tx->chain)) {
	case CHAIN_EMPTY:
		return queue_arm(ring);
	case CHAIN_BAD:
		vqueue_broken(tx->vq, "a chain of descriptors that breaks the rules");
		return false;
	case CHAIN_OK:
		break;
	}
	send_chain(tx);
	return true;
}

void tx_serve(struct net_tx *tx)
{
	unsigned looks = 0;
	bool more = true;

	queue_disarm(&tx->vq->ring);
	while (more && looks++ < NET_TURN)
		more = send_one(tx);
	if (more)
		vqueue_kick(tx->vq);
	vqueue_interrupt(tx->vq);
}

static void on_timer(void *arg)
{
	struct net_tx *tx = arg;

	if (!vqueue_try_lock(tx->vq))
		return;
	if (net_runs(tx->vq))
		tx_serve(tx);
	(void)pthread_mutex_unlock(&tx->vq->lock);
}

int tx_init(struct net_tx *tx, struct net *net, uint16_t pair, struct verr *e)
{
	tx->net = net;
	tx->vq = net->dev.queues + (size_t)2 * pair + 1;
	tx->pair = pair;
	tx->timer = (struct loop_source)LOOP_SOURCE_INIT;
	return loop_timer_init(&tx->timer, tx->vq->loop, on_timer, tx, e);
}

void tx_deinit(struct net_tx *tx)
{
	loop_source_deinit(&tx->timer);
}
