/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/devices/net/vhost_net.h"

#include <linux/virtio_net.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/own.h"
#include "vmm/devices/net/net_priv.h"
#include "vmm/vhost/vhost.h"

/* The features that the server of a queue must know about; the others are the device's, or the
 * TAP's. */
#define RING_FEATURES                                                       \
	(1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_RING_F_INDIRECT_DESC | \
	 1ULL << VIRTIO_RING_F_EVENT_IDX | 1ULL << VIRTIO_NET_F_MRG_RXBUF)

/* One queue. All but the first three under its vqueue's lock. */
struct served {
	struct vhost_net *vhost;
	struct vqueue *vq;
	struct loop_source failed;
	int err;   /* eventfd, written by the kernel */
	bool runs; /* the kernel serves it, from vqueue.ring on; else that is where it goes on */
};

struct vhost_net {
	uint16_t pairs;
	uint64_t features; /* the kernel's */
	int fds[NET_PAIRS_MAX];
	struct served queues[2 * NET_PAIRS_MAX];
};

static bool is_absence(int error)
{
	return error == ENOENT || error == ENODEV || error == ENXIO || error == EACCES ||
	       error == EPERM;
}

static int open_pairs(struct vhost_net *v, uint16_t pairs, int *absent, struct verr *e)
{
	for (; v->pairs < pairs; v->pairs++) {
		v->fds[v->pairs] = vhost_open();
		if (v->fds[v->pairs] >= 0)
			continue;
		*absent = is_absence(errno) ? errno : 0;
		return verr_os(e, "open " VHOST_PATH);
	}
	return vhost_get_features(v->fds[0], &v->features, e);
}

int vhost_net_new(uint16_t pairs, struct vhost_net **out, int *absent, struct verr *e)
{
	struct vhost_net *v = calloc(1, sizeof(*v));
	struct verr why = VERR_INIT;

	*out = NULL;
	*absent = 0;
	if (v == NULL)
		return verr_host(e, "out of memory");
	for (size_t i = 0; i < ARRAY_LEN(v->queues); i++) {
		v->queues[i].failed = (struct loop_source)LOOP_SOURCE_INIT;
		v->queues[i].err = -1;
	}
	if (open_pairs(v, pairs, absent, &why) < 0) {
		(void)vhost_net_free(v);
		return *absent != 0 ? 0 : verr_host(e, "%s", why.text);
	}
	*out = v;
	return 0;
}

struct vhost_net *vhost_net_free(struct vhost_net *v)
{
	if (v == NULL)
		return NULL;
	for (uint16_t i = 0; i < v->pairs; i++)
		fd_close(&v->fds[i]);
	for (size_t i = 0; i < ARRAY_LEN(v->queues); i++) {
		loop_source_deinit(&v->queues[i].failed);
		fd_close(&v->queues[i].err);
	}
	free(v);
	return NULL;
}

uint64_t vhost_net_mask(const struct vhost_net *v, uint64_t features)
{
	return features & (v->features | ~RING_FEATURES);
}

static struct served *served_of(struct vhost_net *v, const struct vqueue *vq)
{
	return &v->queues[vq->index];
}

static int fd_of(const struct vhost_net *v, const struct vqueue *vq)
{
	return v->fds[vq->index / 2];
}

/* The kernel's index of a queue within its pair. */
static unsigned side_of(const struct vqueue *vq)
{
	return vq->index % 2;
}

/* --- serving --- */

static int start(struct vhost_net *v, struct vqueue *vq, int tap, struct verr *e)
{
	const struct queue *q = &vq->ring;
	struct vhost_ring ring = {.desc = q->desc, .avail = q->avail, .used = q->used};
	int fd = fd_of(v, vq);
	unsigned side = side_of(vq);

	if (vhost_set_size(fd, side, q->size, e) < 0 ||
	    vhost_set_base(fd, side, q->next_avail, e) < 0 ||
	    vhost_set_addresses(fd, side, &ring, e) < 0)
		return -1;
	return vhost_net_set_backend(fd, side, tap, e);
}

/* What the kernel has said of a driver before now is about rings that are no more. */
static void forget_failure(const struct served *s)
{
	uint64_t count;
	ssize_t n = read(s->err, &count, sizeof(count));

	(void)n;
}

void vhost_net_start(struct vhost_net *v, struct vqueue *vq, int tap)
{
	struct served *s = served_of(v, vq);
	struct verr e = VERR_INIT;

	if (s->runs)
		return;
	forget_failure(s);
	if (start(v, vq, tap, &e) < 0) {
		vqueue_broken(vq, e.text);
		return;
	}
	s->runs = true;
	vqueue_kick(vq); /* for what the driver has made available before */
}

void vhost_net_halt(struct vhost_net *v, struct vqueue *vq)
{
	struct served *s = served_of(v, vq);
	struct verr e = VERR_INIT;
	uint16_t next_avail;

	if (!s->runs)
		return;
	s->runs = false;
	if (vhost_net_set_backend(fd_of(v, vq), side_of(vq), -1, &e) < 0 ||
	    vhost_get_base(fd_of(v, vq), side_of(vq), &next_avail, &e) < 0)
		log_limited(LOG_ERROR, LOG_NET, &vq->dev->limit, "queue %u: %s", vq->index, e.text);
	else
		queue_take_back(&vq->ring, next_avail);
}

/* The kernel has found what breaks a rule; it would look again at each notification. */
static void on_failed(void *arg)
{
	struct served *s = arg;
	uint64_t count = 1;
	ssize_t n;

	if (!vqueue_try_lock(s->vq)) {
		n = write(s->err, &count, sizeof(count)); /* again, when its holder is done */
		(void)n;
		return;
	}
	n = read(s->err, &count, sizeof(count));
	if (n > 0 && s->runs && net_runs(s->vq)) {
		vhost_net_halt(s->vhost, s->vq);
		vqueue_broken(s->vq, "what vhost refuses: a ring, or a chain of descriptors, that "
				     "breaks the rules");
	}
	(void)pthread_mutex_unlock(&s->vq->lock);
}

/* --- set-up --- */

int vhost_net_attach(struct vhost_net *v, struct vdev *dev, struct verr *e)
{
	for (uint16_t i = 0; i < 2 * v->pairs; i++) {
		struct served *s = &v->queues[i];

		s->vhost = v;
		s->vq = &dev->queues[i];
		s->err = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (s->err < 0)
			return verr_os(e, "create an eventfd");
		if (loop_edge_init(&s->failed, s->vq->loop, s->err, on_failed, s, e) < 0)
			return -1;
		loop_enable(&s->failed);
		/*
		 * Notifications are the kernel's. Number 2 is the control queue where a driver
		 * takes only one pair.
		 */
		if (i != 2)
			loop_disable(&s->vq->kicked);
	}
	return 0;
}

static int connect_queue(struct vhost_net *v, const struct served *s, struct verr *e)
{
	int fd = fd_of(v, s->vq);
	unsigned side = side_of(s->vq);

	if (vhost_set_kick(fd, side, s->vq->kick, e) < 0 ||
	    vhost_set_call(fd, side, s->vq->dev->irq, e) < 0)
		return -1;
	return vhost_set_err(fd, side, s->err, e);
}

int vhost_net_connect(struct vhost_net *v, const struct mem *mem, struct verr *e)
{
	struct vhost_region table[VHOST_REGIONS_MAX];
	const struct mem_region *regions;
	size_t count = mem_regions(mem, &regions);

	_Static_assert(VHOST_REGIONS_MAX >= MEM_REGIONS_MAX, "all of guest memory has a place");
	for (size_t i = 0; i < count; i++)
		table[i] = (struct vhost_region){
			.gpa = regions[i].gpa, .len = regions[i].len, .host = regions[i].host};
	for (uint16_t i = 0; i < v->pairs; i++)
		if (vhost_set_owner(v->fds[i], e) < 0 ||
		    vhost_set_memory(v->fds[i], table, count, e) < 0)
			return -1;
	for (uint16_t i = 0; i < 2 * v->pairs; i++)
		if (connect_queue(v, &v->queues[i], e) < 0)
			return -1;
	return 0;
}

int vhost_net_set_features(struct vhost_net *v, uint64_t features, struct verr *e)
{
	for (uint16_t i = 0; i < v->pairs; i++)
		if (vhost_set_features(v->fds[i], features & v->features & RING_FEATURES, e) < 0)
			return -1;
	return 0;
}
