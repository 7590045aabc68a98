/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control queue (VIRTIO 1.2, 5.1.6.5). Filters are accepted and nothing is filtered, which the
 * specification allows: a driver looks at what it gets.
 */
#include <string.h>

#include "base/bytes.h"
#include "vmm/devices/net/frame.h"
#include "vmm/devices/net/net_priv.h"

#define CONTROL_TURN 16
#define COMMAND_LEN 2 /* class, command */

enum answer { ANSWER_OK = VIRTIO_NET_OK, ANSWER_ERR = VIRTIO_NET_ERR, ANSWER_LATER };

/* Exactly `len` bytes of data behind the command. */
static bool read_data(const struct chain *c, void *out, size_t len)
{
	return c->read_len == COMMAND_LEN + len &&
	       iov_read(c->iov, c->nread, COMMAND_LEN, out, len) == len;
}

static enum answer set_rx_mode(const struct net *n, uint8_t command)
{
	uint8_t on;

	return command <= VIRTIO_NET_CTRL_RX_NOBCAST && read_data(&n->control, &on, sizeof(on))
		       ? ANSWER_OK
		       : ANSWER_ERR;
}

/* Two tables, each with its number of addresses before it. */
static enum answer set_mac_tables(const struct chain *c)
{
	uint64_t at = COMMAND_LEN;
	uint8_t count[4];

	for (int i = 0; i < 2; i++) {
		if (at > c->read_len ||
		    iov_read(c->iov, c->nread, at, count, sizeof(count)) < sizeof(count))
			return ANSWER_ERR;
		at += sizeof(count) + (uint64_t)le32(count) * NET_MAC_LEN;
	}
	return at == c->read_len ? ANSWER_OK : ANSWER_ERR;
}

static enum answer set_mac(struct net *n)
{
	uint8_t mac[NET_MAC_LEN];

	if (!vdev_has(&n->dev, VIRTIO_NET_F_CTRL_MAC_ADDR) ||
	    !read_data(&n->control, mac, sizeof(mac)) || mac[0] & 1)
		return ANSWER_ERR;
	/* Its holder may be waiting for this queue's lock. */
	if (pthread_mutex_trylock(&n->dev.lock) != 0)
		return ANSWER_LATER;
	memcpy(n->config.mac, mac, sizeof(mac));
	(void)pthread_mutex_unlock(&n->dev.lock);
	return ANSWER_OK;
}

static enum answer set_pairs(struct net *n)
{
	struct verr e = VERR_INIT;
	uint8_t bytes[2];
	uint16_t pairs;

	if (!vdev_has(&n->dev, VIRTIO_NET_F_MQ) || !read_data(&n->control, bytes, sizeof(bytes)))
		return ANSWER_ERR;
	pairs = le16(bytes);
	if (pairs < 1 || pairs > n->backend->pairs)
		return ANSWER_ERR;
	if (net_use_pairs(n, pairs, &e) < 0) {
		log_limited(LOG_ERROR, LOG_NET, &n->limit, "%s: %s", n->name, e.text);
		return ANSWER_ERR;
	}
	for (size_t i = 0; i < pairs; i++)
		vqueue_kick(&n->dev.queues[2 * i]);
	return ANSWER_OK;
}

static enum answer do_command(struct net *n)
{
	const struct chain *c = &n->control;
	uint8_t command[COMMAND_LEN];

	if (iov_read(c->iov, c->nread, 0, command, sizeof(command)) < sizeof(command))
		return ANSWER_ERR;
	switch (command[0]) {
	case VIRTIO_NET_CTRL_RX:
		return set_rx_mode(n, command[1]);
	case VIRTIO_NET_CTRL_MAC:
		if (command[1] == VIRTIO_NET_CTRL_MAC_TABLE_SET)
			return set_mac_tables(c);
		return command[1] == VIRTIO_NET_CTRL_MAC_ADDR_SET ? set_mac(n) : ANSWER_ERR;
	case VIRTIO_NET_CTRL_MQ:
		return command[1] == VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET ? set_pairs(n) : ANSWER_ERR;
	default:
		return ANSWER_ERR;
	}
}

/* False: there is none, or not now. */
static bool serve_one(struct net *n, struct vqueue *vq)
{
	struct chain *c = &n->control;
	enum answer answer;

	switch (queue_next(&vq->ring, c)) {
	case CHAIN_EMPTY:
		return queue_arm(&vq->ring);
	case CHAIN_BAD:
		vqueue_broken(vq, "a chain of descriptors that breaks the rules");
		return false;
	case CHAIN_OK:
		break;
	}
	if (c->nwrite == 0) {
		vqueue_broken(vq, "a command without room for an answer");
		return false;
	}
	answer = do_command(n);
	if (answer == ANSWER_LATER) {
		queue_undo(&vq->ring);
		vqueue_kick(vq);
		return false;
	}
	counter_add(&n->counters.commands, 1);
	if (answer != ANSWER_OK)
		counter_add(&n->counters.refused_commands, 1);
	*(uint8_t *)c->iov[c->nread].iov_base = (uint8_t)answer;
	queue_put(&vq->ring, c->head, 1);
	return true;
}

void control_serve(struct net *n, struct vqueue *vq)
{
	unsigned looks = 0;
	bool more = true;

	queue_disarm(&vq->ring);
	while (more && looks++ < CONTROL_TURN)
		more = serve_one(n, vq);
	if (more)
		vqueue_kick(vq);
	vqueue_interrupt(vq);
}
