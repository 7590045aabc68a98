/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/devices/rng/rng.h"

#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/bucket.h"
#include "base/own.h"
#include "base/sys.h"

/* Drivers ask for tens of bytes; what they want beyond these limits only costs the host. */
#define RNG_REQUEST_MAX KIB(4)
#define RNG_RATE MIB(1)
#define RNG_TURN 16

struct rng_counters {
	counter requests, bytes, throttled;
};

static const struct metric_row rows[] = {
	{"requests", "requests", offsetof(struct rng_counters, requests)},
	{"bytes", "random bytes given", offsetof(struct rng_counters, bytes)},
	{"throttled", "times the rate limit made the driver wait",
	 offsetof(struct rng_counters, throttled)},
};

struct rng {
	struct vdev dev; /* first */
	struct loop_source timer;
	struct bucket bucket; /* lock of the one queue */
	struct rng_counters counters;
	struct chain chain; /* lock of the one queue */
};

/* Fill the buffers, up to the limit; returns how many bytes. */
static uint32_t fill(struct chain *c)
{
	uint32_t done = 0;

	for (uint16_t i = c->nread; i < c->nread + c->nwrite && done < RNG_REQUEST_MAX; i++) {
		size_t want = MIN(c->iov[i].iov_len, RNG_REQUEST_MAX - done);
		ssize_t n = getrandom(c->iov[i].iov_base, want, GRND_NONBLOCK);

		if (n > 0)
			done += (uint32_t)n;
		if (n < (ssize_t)want)
			break;
	}
	return done;
}

/* False when the queue is empty, broken, or has to wait. */
static bool take_one(struct rng *r, struct vqueue *vq)
{
	uint64_t wait_ns = bucket_wait_ns(&r->bucket, sys_now_ns());
	uint32_t n;

	if (wait_ns > 0) {
		counter_add(&r->counters.throttled, 1);
		loop_timer_arm(&r->timer, wait_ns / 1000 + 1);
		return false;
	}
	switch (queue_next(&vq->ring, &r->chain)) {
	case CHAIN_EMPTY:
		return queue_arm(&vq->ring);
	case CHAIN_BAD:
		vqueue_broken(vq, "a chain of descriptors that breaks the rules");
		return false;
	case CHAIN_OK:
		break;
	}
	n = fill(&r->chain);
	bucket_take(&r->bucket, n);
	counter_add(&r->counters.requests, 1);
	counter_add(&r->counters.bytes, n);
	queue_put(&vq->ring, r->chain.head, n);
	return true;
}

static void notify(struct vqueue *vq)
{
	struct rng *r = (struct rng *)vq->dev;
	unsigned looks = 0;
	bool more = true;

	queue_disarm(&vq->ring);
	while (more && looks++ < RNG_TURN)
		more = take_one(r, vq);
	if (more)
		vqueue_kick(vq);
	vqueue_interrupt(vq);
}

static void on_timer(void *arg)
{
	struct rng *r = arg;

	vqueue_kick(&r->dev.queues[0]);
}

static const struct vdev_class rng_class = {
	.name = "rng",
	.virtio_id = VIRTIO_ID_RNG,
	.notify = notify,
};

int rng_new(struct loop *loop, struct rng **out, struct verr *e)
{
	struct rng *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return verr_host(e, "out of memory");
	r->dev.class = &rng_class;
	r->dev.offered = VDEV_FEATURES;
	r->timer = (struct loop_source)LOOP_SOURCE_INIT;
	bucket_init(&r->bucket, RNG_RATE, 0, sys_now_ns());
	if (vdev_init(&r->dev, 1, &loop, 1, e) < 0 ||
	    loop_timer_init(&r->timer, loop, on_timer, r, e) < 0) {
		(void)rng_free(r);
		return -1;
	}
	*out = r;
	return 0;
}

struct rng *rng_free(struct rng *r)
{
	if (r != NULL) {
		loop_source_deinit(&r->timer);
		vdev_deinit(&r->dev);
		free(r);
	}
	return NULL;
}

struct vdev *rng_vdev(struct rng *r)
{
	return &r->dev;
}

struct metric_group rng_metrics(const struct rng *r)
{
	return (struct metric_group){
		.name = "rng", .rows = rows, .count = ARRAY_LEN(rows), .base = &r->counters};
}
