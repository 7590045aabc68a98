/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/devices/net/net.h"

#include <errno.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/sys.h"
#include "vmm/devices/net/net_priv.h"

/* What is behind it in struct virtio_net_config belongs to features that are not offered. */
#define NET_CONFIG_LEN offsetof(struct virtio_net_config, speed)

#define ROW(field, text)                                                                     \
	{                                                                                    \
		.name = #field, .help = text, .offset = offsetof(struct net_counters, field) \
	}

static const struct metric_row rows[] = {
	ROW(rx_packets, "frames given to the guest"),
	ROW(rx_bytes, "bytes of these"),
	ROW(rx_dropped, "frames that did not fit into the guest's buffers"),
	ROW(rx_throttled, "times the rate limit made the receive side wait"),
	ROW(tx_packets, "frames taken from the guest"),
	ROW(tx_bytes, "bytes of these"),
	ROW(tx_dropped, "frames that the host did not take"),
	ROW(tx_throttled, "times the rate limit made the guest wait"),
	ROW(tx_bad_headers, "frames dropped for a header that makes no sense"),
	ROW(commands, "commands of the control queue"),
	ROW(refused_commands, "commands answered with an error"),
};

static struct net *net_of(struct vdev *dev)
{
	return (struct net *)dev;
}

/* --- what both directions use --- */

static void set_bucket(struct bucket *b, const struct net_rate *rate, uint64_t now)
{
	bucket_init(b, rate->rate, rate->burst, now);
	bucket_give_once(b, rate->once);
}

static void gate_change(struct net_gate *g, const struct net_limit *limit)
{
	uint64_t now = sys_now_ns();

	(void)pthread_mutex_lock(&g->lock);
	set_bucket(&g->bytes, &limit->bytes, now);
	set_bucket(&g->packets, &limit->packets, now);
	atomic_store(&g->limits, limit->bytes.rate != 0 || limit->packets.rate != 0);
	(void)pthread_mutex_unlock(&g->lock);
}

static void gate_init(struct net_gate *g, const struct net_limit *limit, counter *throttled)
{
	(void)pthread_mutex_init(&g->lock, NULL);
	gate_change(g, limit);
	g->throttled = throttled;
}

uint64_t net_gate_wait(struct net_gate *g)
{
	uint64_t bytes, packets, now;

	if (!atomic_load(&g->limits))
		return 0;
	now = sys_now_ns();
	(void)pthread_mutex_lock(&g->lock);
	bytes = bucket_wait_ns(&g->bytes, now);
	packets = bucket_wait_ns(&g->packets, now);
	(void)pthread_mutex_unlock(&g->lock);
	if (bytes > 0 || packets > 0)
		counter_add(g->throttled, 1);
	return MAX(bytes, packets);
}

void net_gate_take(struct net_gate *g, size_t bytes)
{
	if (!atomic_load(&g->limits))
		return;
	(void)pthread_mutex_lock(&g->lock);
	bucket_take(&g->bytes, bytes);
	bucket_take(&g->packets, 1);
	(void)pthread_mutex_unlock(&g->lock);
}

bool net_runs(const struct vqueue *vq)
{
	return vq->running && !(atomic_load(&vq->dev->status) & VIRTIO_CONFIG_S_NEEDS_RESET);
}

void net_lost(struct net *n, uint16_t pair, int error)
{
	if (pair >= atomic_load(&n->active_pairs) || atomic_exchange(&n->gone, true))
		return;
	log_warn(LOG_NET, "%s: the host's side is gone (%s); the link is down", n->name,
		 strerror(error));
	loop_wake(&n->link);
	vdev_trouble(&n->dev, VDEV_TROUBLE_ERROR);
}

void net_change_link(struct net *n, bool up)
{
	if (atomic_exchange(&n->unplugged, !up) == !up)
		return;
	loop_wake(&n->link);
	/* What waits on the host's side came while nobody looked. */
	for (uint16_t i = 0; i < n->dev.nqueues; i++)
		vqueue_kick(&n->dev.queues[i]);
}

static bool is_unlimited(const struct net_limit *l)
{
	return l->bytes.rate == 0 && l->packets.rate == 0;
}

int net_check_limits(const struct net *n, const struct net_limit *rx, const struct net_limit *tx,
		     struct verr *e)
{
	if (n->vhost != NULL && (!is_unlimited(rx) || !is_unlimited(tx)))
		return verr_invalid(e, "vhost-net knows no rates");
	return 0;
}

void net_change_limits(struct net *n, const struct net_limit *rx, const struct net_limit *tx)
{
	gate_change(&n->rx_gate, rx);
	gate_change(&n->tx_gate, tx);
	for (uint16_t i = 0; i < n->dev.nqueues; i++)
		vqueue_kick(&n->dev.queues[i]);
}

int net_exchange(struct net *n, const char *name, const int *fds, size_t count, struct verr *e)
{
	const struct net_backend_class *class = n->backend->class;
	struct net_exchange x = {.name = name, .fds = fds, .count = count};
	int r;

	if (class->exchange == NULL)
		return verr_invalid(e, "its backend is %s, which keeps what it has", class->name);
	/* A driver that resets the device meanwhile waits. */
	(void)pthread_mutex_lock(&n->dev.lock);
	vdev_pause(&n->dev);
	x.features = n->dev.features & n->backend->features;
	x.pairs = atomic_load(&n->active_pairs);
	r = class->exchange(n->backend, &x, e);
	for (uint16_t i = 0; r == 0 && i < n->nrx; i++)
		rx_exchanged(&n->rx[i]);
	/* Where the old one has gone, the link is up again. */
	if (r == 0 && atomic_exchange(&n->gone, false))
		loop_wake(&n->link);
	vdev_resume(&n->dev);
	(void)pthread_mutex_unlock(&n->dev.lock);
	return r;
}

void net_gone(struct net *n)
{
	net_lost(n, 0, ECONNRESET);
}

static void on_changes(void *arg)
{
	struct net *n = arg;

	if (!n->backend->class->is_there(n->backend)) {
		loop_disable(&n->changes);
		net_lost(n, 0, ENODEV);
	}
}

/* --- the class --- */

/* Behind the pairs, as many as the driver knows of (5.1.2). */
static bool is_control(const struct vqueue *vq)
{
	const struct net *n = (const struct net *)vq->dev;
	uint16_t pairs = vdev_has(vq->dev, VIRTIO_NET_F_MQ) ? n->backend->pairs : 1;

	return vq->index == 2 * pairs;
}

/* Of a pair that the driver may know of, whether it carries frames or not. */
static bool is_of_a_pair(const struct vqueue *vq)
{
	const struct net *n = (const struct net *)vq->dev;

	return !is_control(vq) && vq->index / 2 < n->backend->pairs;
}

/* Have the kernel serve the queues of pairs `from` to `to` that run, or none of them. */
static void serve_pairs(struct net *n, uint16_t from, uint16_t to, bool on)
{
	for (uint16_t i = 2 * from; n->vhost != NULL && i < 2 * to; i++) {
		struct vqueue *vq = &n->dev.queues[i];

		(void)pthread_mutex_lock(&vq->lock);
		if (!on)
			vhost_net_halt(n->vhost, vq);
		else if (net_runs(vq) && net_is_up(n))
			vhost_net_start(n->vhost, vq, n->backend->fds[i / 2]);
		(void)pthread_mutex_unlock(&vq->lock);
	}
}

/* While the backend knows of fewer pairs than this does, one of them would seem to be gone. */
int net_use_pairs(struct net *n, uint16_t pairs, struct verr *e)
{
	uint16_t before = atomic_load(&n->active_pairs);

	if (pairs < before) {
		atomic_store(&n->active_pairs, pairs);
		serve_pairs(n, pairs, before, false);
	}
	/* What is gone has no queues to put aside. */
	if (!atomic_load(&n->gone) && n->backend->class->set_pairs(n->backend, pairs, e) < 0)
		return -1;
	atomic_store(&n->active_pairs, pairs);
	serve_pairs(n, before, pairs, true);
	return 0;
}

/* In the loop and without a queue's lock, for the device's comes before those. */
static void on_link(void *arg)
{
	struct net *n = arg;

	(void)pthread_mutex_lock(&n->dev.lock);
	n->config.status = net_is_up(n) ? VIRTIO_NET_S_LINK_UP : 0;
	vdev_config_changed(&n->dev);
	(void)pthread_mutex_unlock(&n->dev.lock);
	serve_pairs(n, 0, atomic_load(&n->active_pairs), net_is_up(n));
}

static void use_one_pair(struct net *n)
{
	struct verr e = VERR_INIT;

	if (net_use_pairs(n, 1, &e) < 0)
		log_limited(LOG_ERROR, LOG_NET, &n->limit, "%s: %s", n->name, e.text);
}

static void activate(struct vdev *dev)
{
	struct net *n = net_of(dev);
	struct verr e = VERR_INIT;

	use_one_pair(n);
	if (n->backend->class->set_features(n->backend, dev->features & n->backend->features, &e) <
		    0 ||
	    (n->vhost != NULL && vhost_net_set_features(n->vhost, dev->features, &e) < 0))
		log_limited(LOG_ERROR, LOG_NET, &n->limit, "%s: %s", n->name, e.text);
}

static void start(struct vqueue *vq)
{
	struct net *n = net_of(vq->dev);
	uint16_t pair = vq->index / 2;

	if (n->vhost != NULL && is_of_a_pair(vq) && pair < atomic_load(&n->active_pairs) &&
	    net_is_up(n))
		vhost_net_start(n->vhost, vq, n->backend->fds[pair]);
}

static void notify(struct vqueue *vq)
{
	struct net *n = net_of(vq->dev);

	if (is_control(vq))
		control_serve(n, vq);
	else if (!is_of_a_pair(vq) || n->vhost != NULL)
		return;
	else if (vq->index % 2 == 0)
		rx_serve(&n->rx[vq->index / 2]);
	else
		tx_serve(&n->tx[vq->index / 2]);
}

/* The device's lock is held, too: what a driver has set ends with its control queue. */
static void drain(struct vqueue *vq)
{
	struct net *n = net_of(vq->dev);

	if (is_control(vq)) {
		memcpy(n->config.mac, n->mac, sizeof(n->mac));
		use_one_pair(n);
	} else if (is_of_a_pair(vq) && n->vhost != NULL) {
		vhost_net_halt(n->vhost, vq);
	} else if (is_of_a_pair(vq) && vq->index % 2 == 0) {
		rx_drain(&n->rx[vq->index / 2]);
	}
}

/* Served in the loop, a queue has nothing in flight. */
static void pause_queue(struct vqueue *vq)
{
	struct net *n = net_of(vq->dev);

	if (is_of_a_pair(vq) && n->vhost != NULL)
		vhost_net_halt(n->vhost, vq);
}

/* Only these two are served here, and only receiving takes buffers before there is a frame. */
static uint16_t holds(const struct vqueue *vq)
{
	const struct net *n = (const struct net *)vq->dev;

	if (n->vhost != NULL || !is_of_a_pair(vq) || vq->index % 2 != 0)
		return 0;
	return (uint16_t)n->rx[vq->index / 2].nheld;
}

/* The driver keeps the address and the MTU that it knows; the host's side must do with them. */
static int adopt(struct vdev *dev, const struct virtio_state *saved, struct verr *e)
{
	struct net *n = net_of(dev);
	struct virtio_net_config config = {0};

	memcpy(&config, saved->config, NET_CONFIG_LEN);
	if (config.max_virtqueue_pairs != n->config.max_virtqueue_pairs)
		return verr_invalid(e, "%s has %u pairs of queues, and had %u", n->name,
				    n->config.max_virtqueue_pairs, config.max_virtqueue_pairs);
	if (config.mtu > n->mtu)
		return verr_invalid(e, "%s: the MTU of the host's side is %u, and was %u", n->name,
				    n->mtu, config.mtu);
	if (n->backend->mac_is_fixed &&
	    memcmp(config.mac, n->backend->mac, sizeof(config.mac)) != 0)
		return verr_invalid(e, "%s: the host's side takes frames for another address",
				    n->name);
	config.status = n->config.status;
	n->config = config;
	return 0;
}

static const struct vdev_class net_class = {
	.name = "net",
	.virtio_id = VIRTIO_ID_NET,
	.activate = activate,
	.start = start,
	.notify = notify,
	.drain = drain,
	.pause = pause_queue,
	.holds = holds,
	.adopt = adopt,
};

/* --- making one --- */

static uint64_t features_of(const struct net *n)
{
	const struct net_backend *b = n->backend;
	uint64_t f = VDEV_FEATURES | b->features | 1ULL << VIRTIO_NET_F_MAC |
		     1ULL << VIRTIO_NET_F_MTU | 1ULL << VIRTIO_NET_F_STATUS |
		     1ULL << VIRTIO_NET_F_MRG_RXBUF | 1ULL << VIRTIO_NET_F_CTRL_VQ |
		     1ULL << VIRTIO_NET_F_CTRL_RX | 1ULL << VIRTIO_NET_F_CTRL_RX_EXTRA;

	if (!b->mac_is_fixed)
		f |= 1ULL << VIRTIO_NET_F_CTRL_MAC_ADDR;
	if (b->pairs > 1)
		f |= 1ULL << VIRTIO_NET_F_MQ;
	return n->vhost != NULL ? vhost_net_mask(n->vhost, f) : f;
}

/* Both queues of a pair belong to one loop. */
static int make_queues(struct net *n, const struct net_options *o, struct verr *e)
{
	struct loop *loops[2 * NET_PAIRS_MAX + 1];
	uint16_t count = (uint16_t)(2 * n->backend->pairs + 1);

	for (uint16_t i = 0; i < count; i++)
		loops[i] = o->loops[i / 2 % o->nloops];
	return vdev_init(&n->dev, count, loops, count, e);
}

static int make_pairs(struct net *n, struct verr *e)
{
	uint16_t pairs = n->backend->pairs;

	n->rx = calloc(pairs, sizeof(*n->rx));
	n->tx = calloc(pairs, sizeof(*n->tx));
	if (n->rx == NULL || n->tx == NULL)
		return verr_host(e, "out of memory");
	for (uint16_t i = 0; i < pairs; i++) {
		n->nrx++;
		if (rx_init(&n->rx[i], n, i, e) < 0)
			return -1;
		n->ntx++;
		if (tx_init(&n->tx[i], n, i, e) < 0)
			return -1;
	}
	return 0;
}

/* Who sees no frames hears of the host's side otherwise. */
static int attach_vhost(struct net *n, struct loop *loop, struct verr *e)
{
	int changes = n->backend->changes;

	if (vhost_net_attach(n->vhost, &n->dev, e) < 0)
		return -1;
	if (changes < 0)
		return 0;
	if (loop_fd_init(&n->changes, loop, changes, LOOP_READ, on_changes, n, e) < 0)
		return -1;
	loop_enable(&n->changes);
	return 0;
}

static int build(struct net *n, const struct net_options *o, struct verr *e)
{
	/* Little-endian, as this machine is. */
	atomic_store(&n->unplugged, o->unplugged);
	n->config = (struct virtio_net_config){.status = o->unplugged ? 0 : VIRTIO_NET_S_LINK_UP,
					       .max_virtqueue_pairs = n->backend->pairs,
					       .mtu = o->mtu};
	memcpy(n->config.mac, n->mac, sizeof(n->mac));
	n->dev.class = &net_class;
	n->dev.offered = features_of(n);
	n->dev.config = (uint8_t *)&n->config;
	n->dev.config_len = NET_CONFIG_LEN;
	if (make_queues(n, o, e) < 0 || loop_wake_init(&n->link, o->loops[0], on_link, n, e) < 0)
		return -1;
	return n->vhost != NULL ? attach_vhost(n, o->loops[0], e) : make_pairs(n, e);
}

int net_new(const struct net_options *o, struct net_backend *backend, struct net **out,
	    struct verr *e)
{
	struct net *n = calloc(1, sizeof(*n));

	if (n == NULL) {
		(void)vhost_net_free(o->vhost);
		(void)net_backend_free(backend);
		return verr_host(e, "out of memory");
	}
	(void)snprintf(n->name, sizeof(n->name), "%s", o->id);
	n->backend = backend;
	n->vhost = o->vhost;
	n->mtu = o->mtu;
	n->active_pairs = 1;
	n->link = n->changes = (struct loop_source)LOOP_SOURCE_INIT;
	memcpy(n->mac, o->mac, sizeof(n->mac));
	gate_init(&n->rx_gate, &o->rx, &n->counters.rx_throttled);
	gate_init(&n->tx_gate, &o->tx, &n->counters.tx_throttled);
	if (build(n, o, e) < 0) {
		(void)net_free(n);
		return -1;
	}
	*out = n;
	return 0;
}

struct net *net_free(struct net *n)
{
	if (n == NULL)
		return NULL;
	for (uint16_t i = 0; i < n->nrx; i++)
		rx_deinit(&n->rx[i]);
	for (uint16_t i = 0; i < n->ntx; i++)
		tx_deinit(&n->tx[i]);
	free(n->rx);
	free(n->tx);
	loop_source_deinit(&n->link);
	loop_source_deinit(&n->changes);
	n->vhost = vhost_net_free(n->vhost);
	vdev_deinit(&n->dev);
	(void)pthread_mutex_destroy(&n->rx_gate.lock);
	(void)pthread_mutex_destroy(&n->tx_gate.lock);
	n->backend = net_backend_free(n->backend);
	free(n);
	return NULL;
}

void net_capture(struct net *n, struct net_state *out)
{
	_Static_assert(sizeof(out->mac) == sizeof(n->mac), "an address");
	*out = (struct net_state){.active_pairs = atomic_load(&n->active_pairs)};
	memcpy(out->mac, n->mac, sizeof(out->mac));
}

int net_apply(struct net *n, const struct net_state *in, struct verr *e)
{
	/* Without the feature the second pair's queues are others. */
	if (in->active_pairs < 1 || in->active_pairs > n->backend->pairs ||
	    (in->active_pairs > 1 && !vdev_has(&n->dev, VIRTIO_NET_F_MQ)))
		return verr_corrupt(e, "%s: %u pairs of queues carry frames, of %u", n->name,
				    in->active_pairs, n->backend->pairs);
	if (n->backend->mac_is_fixed && memcmp(in->mac, n->backend->mac, sizeof(in->mac)) != 0)
		return verr_invalid(e, "%s: the host's side takes frames for another address",
				    n->name);
	memcpy(n->mac, in->mac, sizeof(n->mac));
	if (net_use_pairs(n, in->active_pairs, e) < 0)
		return -1;
	if (n->backend->class->restored != NULL)
		n->backend->class->restored(n->backend);
	/* The driver hears how the link is now. */
	loop_wake(&n->link);
	return 0;
}

struct vdev *net_vdev(struct net *n)
{
	return &n->dev;
}

int net_connect(struct net *n, const struct mem *mem, struct verr *e)
{
	return n->vhost == NULL ? 0 : vhost_net_connect(n->vhost, mem, e);
}

const char *net_backend_name(const struct net *n)
{
	return n->vhost != NULL ? "vhost-net" : n->backend->class->name;
}

struct metric_group net_metrics(const struct net *n)
{
	return (struct metric_group){
		.name = "net", .rows = rows, .count = ARRAY_LEN(rows), .base = &n->counters};
}
