/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames from the guest. The header is copied and checked, and the copy goes in front of the
 * guest's own buffers. A frame with a header that makes no sense, and one that the host does not
 * take, is dropped: every chain is handed back. Where the host takes none for now, the chain stays
 * with the driver until it does.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <string.h>

#include "vmm/devices/net/frame.h"
#include "vmm/devices/net/net_priv.h"

enum send_result {
	SEND_DONE,
	SEND_DROPPED, /* that is counted */
	SEND_LATER,
};

static enum send_result send_frame(struct net_tx *tx, size_t len)
{
	struct net_backend *b = tx->net->backend;
	const struct chain *c = &tx->chain;
	struct virtio_net_hdr_v1 header;
	size_t niov;
	ssize_t n;

	if (iov_read(c->iov, c->nread, 0, &header, sizeof(header)) < sizeof(header) ||
	    !frame_check(&header, len, tx->net->dev.features)) {
		counter_add(&tx->net->counters.tx_bad_headers, 1);
		return SEND_DROPPED;
	}
	tx->iov[0] = (struct iovec){.iov_base = &header, .iov_len = sizeof(header)};
	niov = iov_skip(c->iov, c->nread, sizeof(header), tx->iov + 1) + 1;
	if (!net_is_up(tx->net)) {
		counter_add(&tx->net->counters.tx_dropped, 1);
		return SEND_DROPPED;
	}
	do
		n = b->class->send(b, tx->pair, tx->iov, (int)niov);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return SEND_DONE;
	if (errno == EAGAIN && b->class->flush != NULL)
		return SEND_LATER;
	if (errno == EBADFD)
		net_lost(tx->net, tx->pair, errno);
	counter_add(&tx->net->counters.tx_dropped, 1);
	return SEND_DROPPED;
}

/* False: not now. */
static bool send_chain(struct net_tx *tx)
{
	struct net_counters *n = &tx->net->counters;
	size_t len = tx->chain.read_len - MIN(tx->chain.read_len, NET_HEADER_LEN);
	enum send_result r = send_frame(tx, len);

	if (r == SEND_LATER) {
		queue_undo(&tx->vq->ring);
		loop_enable(&tx->writable);
		return false;
	}
	net_gate_take(&tx->net->tx_gate, len);
	if (r == SEND_DONE) {
		counter_add(&n->tx_packets, 1);
		counter_add(&n->tx_bytes, len);
	}
	queue_put(&tx->vq->ring, tx->chain.head, 0);
	return true;
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
	return send_chain(tx);
}

/* What the backend keeps goes on as soon as it can. */
static void pass_on(struct net_tx *tx)
{
	struct net_backend *b = tx->net->backend;

	if (b->class->flush != NULL && !b->class->flush(b, tx->pair))
		loop_enable(&tx->writable);
}

void tx_serve(struct net_tx *tx)
{
	unsigned looks = 0;
	bool more = true;

	queue_disarm(&tx->vq->ring);
	while (more && looks++ < NET_TURN)
		more = send_one(tx);
	pass_on(tx);
	if (tx->net->backend->answers)
		vqueue_kick(tx->net->rx[tx->pair].vq);
	if (more)
		vqueue_kick(tx->vq);
	vqueue_interrupt(tx->vq);
}

static void on_writable(void *arg)
{
	struct net_tx *tx = arg;

	if (!vqueue_try_lock(tx->vq))
		return;
	loop_disable(&tx->writable);
	if (net_runs(tx->vq))
		tx_serve(tx);
	else
		pass_on(tx);
	(void)pthread_mutex_unlock(&tx->vq->lock);
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
	tx->timer = tx->writable = (struct loop_source)LOOP_SOURCE_INIT;
	if (loop_timer_init(&tx->timer, tx->vq->loop, on_timer, tx, e) < 0)
		return -1;
	return loop_edge_out_init(&tx->writable, tx->vq->loop, net->backend->fds[pair], on_writable,
				  tx, e);
}

void tx_deinit(struct net_tx *tx)
{
	loop_source_deinit(&tx->writable);
	loop_source_deinit(&tx->timer);
}
