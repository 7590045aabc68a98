/* SPDX-License-Identifier: Apache-2.0 */
/* A NIC's insides, for the files of this folder only. */
#ifndef VOLT_VMM_DEVICES_NET_NET_PRIV_H
#define VOLT_VMM_DEVICES_NET_NET_PRIV_H

#include <linux/virtio_net.h>

#include "base/bucket.h"
#include "vmm/devices/net/net.h"

/* Frames moved in one turn. */
#define NET_TURN 128

/* Buffers that are held for frames to come, of all chains together. */
#define RX_IOV 512

struct net_counters {
	counter rx_packets, rx_bytes, rx_dropped, rx_throttled;
	counter tx_packets, tx_bytes, tx_dropped, tx_throttled, tx_bad_headers;
	counter commands, refused_commands;
};

/* One direction's rate. */
struct net_gate {
	pthread_mutex_t lock;
	struct bucket bytes, packets; /* lock */
	atomic_bool limits;           /* whether either has a rate */
	counter *throttled;
};

/* A chain that a frame will be put into. */
struct rx_chain {
	uint16_t head, niov;
	uint32_t len;
};

/* The receive side of a pair. All but `net`, `vq` and `pair` under the queue's lock. */
struct net_rx {
	struct net *net;
	struct vqueue *vq;
	uint16_t pair;
	struct loop_source readable, timer;
	bool exchanged; /* what `readable` watched is no more: the loop has to look anew */

	/* Chains taken from the driver, in their order, and their buffers. */
	struct rx_chain held[QUEUE_SIZE_MAX]; /* a ring */
	size_t first, nheld;
	struct iovec iov[RX_IOV + 1]; /* one more for what has no room */
	size_t first_iov, niov;
	size_t room; /* bytes of them */

	/*
	 * A frame that waits for more buffers: its length with the header, 0: none; how much of it
	 * stands in the held ones; what was beyond them when it came.
	 */
	size_t frame, placed, spilled_at;
	uint8_t *spill;
	struct chain chain;
};

/* The transmit side of a pair. */
struct net_tx {
	struct net *net;
	struct vqueue *vq;
	uint16_t pair;
	struct loop_source timer;
	struct loop_source writable; /* enabled while the backend keeps or refuses something */
	struct chain chain;
	struct iovec iov[QUEUE_CHAIN_MAX + 1];
};

struct net {
	struct vdev dev; /* first */
	char name[21];   /* for the log */
	struct net_backend *backend;
	struct vhost_net *vhost;  /* serves the pairs; NULL: rx and tx do */
	uint8_t mac[NET_MAC_LEN]; /* the one that it has after a reset */
	uint16_t mtu;
	struct virtio_net_config config;
	struct net_gate rx_gate, tx_gate;
	struct net_rx *rx;
	struct net_tx *tx;
	uint16_t nrx, ntx;             /* made so far */
	_Atomic uint16_t active_pairs; /* carry frames */
	atomic_bool gone;              /* the backend's other side */
	atomic_bool unplugged;         /* at the user's word */
	struct loop_source link;       /* wake-up: the link is down */
	struct loop_source changes;    /* of the host's interfaces, where vhost serves */
	struct chain control;          /* lock of the control queue */
	struct net_counters counters;
	struct log_limit limit;
};

/* Nanoseconds until the next frame may pass; 0: now. */
uint64_t net_gate_wait(struct net_gate *gate);
void net_gate_take(struct net_gate *gate, size_t bytes);

/* The backend's other side is gone, unless only this pair is put aside. Any thread. */
void net_lost(struct net *net, uint16_t pair, int error);

/* The first `pairs` carry frames. No lock of a pair's queue is held. */
V_MUST_CHECK int net_use_pairs(struct net *net, uint16_t pairs, struct verr *e);

/* May frames pass? */
static inline bool net_is_up(const struct net *net)
{
	return !atomic_load(&net->gone) && !atomic_load(&net->unplugged);
}

/* Does the queue run, and was nothing done that needs a reset? */
bool net_runs(const struct vqueue *vq);

/* rx.c */
V_MUST_CHECK int rx_init(struct net_rx *rx, struct net *net, uint16_t pair, struct verr *e);
void rx_deinit(struct net_rx *rx);
void rx_serve(struct net_rx *rx); /* lock of the queue held */
void rx_drain(struct net_rx *rx);
void rx_exchanged(struct net_rx *rx); /* the backend's descriptors; while the queue is paused */

/* tx.c */
V_MUST_CHECK int tx_init(struct net_tx *tx, struct net *net, uint16_t pair, struct verr *e);
void tx_deinit(struct net_tx *tx);
void tx_serve(struct net_tx *tx);

/* control.c */
void control_serve(struct net *net, struct vqueue *vq);

#endif
