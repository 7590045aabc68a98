/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/devices/block/block.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bucket.h"
#include "base/own.h"
#include "base/sys.h"
#include "vmm/devices/block/counters.h"
#include "vmm/devices/block/engines.h"
#include "vmm/devices/block/offer.h"
#include "vmm/devices/block/open.h"
#include "vmm/devices/block/request.h"

/* Requests in flight a queue; more wait in the guest's ring. */
#define BLOCK_REQUESTS 128

/* Chains taken in one turn. */
#define BLOCK_TURN 256

/* One request, free or in flight. */
struct slot {
	struct request request; /* first */
	struct slot *next;      /* free ones */
};

struct block_queue {
	struct block *block;
	struct vqueue *vq;
	struct disk_engine *engine;
	struct loop_source completions, timer;
	struct slot *slots, *free;
	size_t fresh; /* slots from here on were never used: their pages are not there yet */
	bool starved; /* chains wait for a free slot */
};

struct block {
	struct vdev dev; /* first */
	struct disk_file file;
	struct disk_volume *volume;   /* NULL: the file is the disk, or: */
	struct disk_private *private; /* NULL likewise */
	struct disk_medium *medium;   /* of the one or the other */
	struct disk_written written;
	bool unsafe;                /* a flush has nothing to do */
	struct block_limits limits; /* constant while the queues run */
	bool durable_writes;        /* the driver cannot flush */
	uint8_t id[BLOCK_ID_LEN];
	char name[BLOCK_ID_LEN + 1]; /* for the log */
	struct virtio_blk_config config;
	struct block_queue *queues;
	uint16_t nqueues;
	pthread_mutex_t rate_lock;
	struct bucket bytes, ops; /* rate_lock */
	atomic_bool limited;      /* whether either has a rate */
	struct block_counters counters;
	struct log_limit limit;
};

static struct block *block_of(const struct vqueue *vq)
{
	return (struct block *)vq->dev;
}

/* --- answers --- */

static void put_slot(struct block_queue *q, struct slot *slot)
{
	slot->next = q->free;
	q->free = slot;
}

/* A free slot, which is still the queue's; NULL when all are in flight. */
static struct slot *peek_slot(struct block_queue *q)
{
	if (q->free == NULL && q->fresh < BLOCK_REQUESTS)
		put_slot(q, &q->slots[q->fresh++]);
	return q->free;
}

/* `written` bytes of data stand before the status byte. */
static void answer(struct block_queue *q, struct slot *slot, uint8_t status, uint32_t written)
{
	struct request *r = &slot->request;

	if (status != VIRTIO_BLK_S_OK)
		counter_add(&q->block->counters.errors, 1);
	*r->status_byte = status;
	queue_put(&q->vq->ring, r->chain.head, written + 1);
	put_slot(q, slot);
}

static void log_failure(struct block *b, const struct disk_io *io, int error)
{
	static const char *const verbs[] = {"read", "write", "flush", "discard", "zero"};

	log_limited(LOG_ERROR, LOG_BLOCK, &b->limit, "disk %s: %s at byte %llu: %s", b->name,
		    verbs[io->op], (unsigned long long)io->offset, strerror(error));
	vdev_trouble(&b->dev, VDEV_TROUBLE_ERROR);
}

/* A write can be durable by itself; other changes need a flush behind them to be. */
static bool needs_flush(const struct block *b, const struct disk_io *io)
{
	return b->durable_writes && (io->op == DISK_DISCARD || io->op == DISK_WRITE_ZEROES);
}

/* An operation of the engine's is complete. Lock of the queue held. */
static void on_done(void *arg, struct disk_io *io)
{
	struct block_queue *q = arg;
	struct slot *slot = (struct slot *)io;
	uint32_t written = io->op == DISK_READ ? slot->request.chain.write_len : 0;

	if (io->error == 0 && needs_flush(q->block, io)) {
		io->op = DISK_FLUSH;
		q->engine->class->submit(q->engine, io);
	} else if (io->error == 0) {
		answer(q, slot, VIRTIO_BLK_S_OK, written);
	} else if (io->error == EOPNOTSUPP) {
		answer(q, slot, VIRTIO_BLK_S_UNSUPP, 0);
	} else {
		log_failure(q->block, io, io->error);
		answer(q, slot, VIRTIO_BLK_S_IOERR, 0);
	}
}

/* --- requests --- */

static void start_io(struct block_queue *q, struct slot *slot)
{
	struct block *b = q->block;
	struct disk_io *io = &slot->request.io;

	block_count(&b->counters, io);
	io->durable = io->op == DISK_WRITE && b->durable_writes;
	if (io->op != DISK_READ && io->op != DISK_FLUSH)
		written_note(&b->written, io->offset, io->len);
	if (io->op == DISK_FLUSH && (b->unsafe || b->medium->readonly))
		answer(q, slot, VIRTIO_BLK_S_OK, 0);
	else
		q->engine->class->submit(q->engine, io);
}

/* Nanoseconds until the rate limit lets the next request pass; 0: one passes. */
static uint64_t rate_wait_ns(struct block *b)
{
	uint64_t bytes, ops, now;

	if (!atomic_load(&b->limited))
		return 0;
	now = sys_now_ns();
	(void)pthread_mutex_lock(&b->rate_lock);
	bytes = bucket_wait_ns(&b->bytes, now);
	ops = bucket_wait_ns(&b->ops, now);
	(void)pthread_mutex_unlock(&b->rate_lock);
	return MAX(bytes, ops);
}

static void rate_take(struct block *b, const struct disk_io *io)
{
	if (!atomic_load(&b->limited))
		return;
	(void)pthread_mutex_lock(&b->rate_lock);
	/* Discards and zeroes move no data. */
	bucket_take(&b->bytes, io->niov > 0 ? io->len : 0);
	bucket_take(&b->ops, 1);
	(void)pthread_mutex_unlock(&b->rate_lock);
}

static void set_limits(struct block *b, struct block_rate bytes, struct block_rate ops)
{
	uint64_t now = sys_now_ns();

	(void)pthread_mutex_lock(&b->rate_lock);
	bucket_init(&b->bytes, bytes.rate, bytes.burst, now);
	bucket_give_once(&b->bytes, bytes.once);
	bucket_init(&b->ops, ops.rate, ops.burst, now);
	bucket_give_once(&b->ops, ops.once);
	atomic_store(&b->limited, bytes.rate != 0 || ops.rate != 0);
	(void)pthread_mutex_unlock(&b->rate_lock);
}

/* False when the driver broke the rules. */
static bool start(struct block_queue *q, struct slot *slot)
{
	struct block *b = q->block;
	struct request *r = &slot->request;

	switch (request_parse(r, &b->limits)) {
	case REQUEST_IO:
		rate_take(b, &r->io);
		start_io(q, slot);
		return true;
	case REQUEST_GET_ID:
		counter_add(&b->counters.others, 1);
		answer(q, slot, VIRTIO_BLK_S_OK, request_put_id(r, b->id));
		return true;
	case REQUEST_ANSWER:
		counter_add(&b->counters.others, 1);
		answer(q, slot, r->status, 0);
		return true;
	case REQUEST_BROKEN:
		break;
	}
	put_slot(q, slot);
	vqueue_broken(q->vq, "a request without room for an answer");
	return false;
}

enum take_result { TAKEN, NONE_LEFT, STOP };

/* Take one chain and start it. */
static enum take_result take_one(struct block_queue *q)
{
	struct slot *slot = peek_slot(q);
	uint64_t wait_ns;

	if (slot == NULL) {
		q->starved = true;
		return STOP;
	}
	switch (queue_next(&q->vq->ring, &slot->request.chain)) {
	case CHAIN_EMPTY:
		return NONE_LEFT;
	case CHAIN_BAD:
		vqueue_broken(q->vq, "a chain of descriptors that breaks the rules");
		return STOP;
	case CHAIN_OK:
		break;
	}
	wait_ns = rate_wait_ns(q->block);
	if (wait_ns > 0) {
		queue_undo(&q->vq->ring);
		counter_add(&q->block->counters.throttled, 1);
		loop_timer_arm(&q->timer, wait_ns / 1000 + 1);
		return STOP;
	}
	q->free = slot->next;
	return start(q, slot) ? TAKEN : STOP;
}

/*
 * A turn of the queue. While chains are left to a later one, the driver need not notify. Each look
 * at the ring counts: a driver that moves its index to and fro keeps nobody here.
 */
static void serve(struct block_queue *q)
{
	struct queue *ring = &q->vq->ring;
	enum take_result r = TAKEN;
	unsigned looks = 0;

	q->starved = false;
	queue_disarm(ring);
	while (r == TAKEN && looks++ < BLOCK_TURN) {
		r = take_one(q);
		if (r == NONE_LEFT && queue_arm(ring))
			r = TAKEN;
	}
	if (r == TAKEN)
		vqueue_kick(q->vq);
	q->engine->class->commit(q->engine);
	/* What completed at once has made room again. */
	if (q->starved && peek_slot(q) != NULL)
		vqueue_kick(q->vq);
	vqueue_interrupt(q->vq);
}

/* --- the loop --- */

static bool can_serve(const struct block_queue *q)
{
	return q->vq->running &&
	       !(atomic_load(&q->block->dev.status) & VIRTIO_CONFIG_S_NEEDS_RESET);
}

static void on_completions(void *arg)
{
	struct block_queue *q = arg;

	if (!vqueue_try_lock(q->vq))
		return;
	q->engine->class->reap(q->engine);
	if (can_serve(q) && q->starved)
		serve(q);
	else if (q->vq->ring.mem != NULL)
		vqueue_interrupt(q->vq);
	(void)pthread_mutex_unlock(&q->vq->lock);
}

static void on_timer(void *arg)
{
	struct block_queue *q = arg;

	if (!vqueue_try_lock(q->vq))
		return;
	if (can_serve(q))
		serve(q);
	(void)pthread_mutex_unlock(&q->vq->lock);
}

/* --- the class --- */

static void activate(struct vdev *dev)
{
	struct block *b = (struct block *)dev;

	b->limits.discard = vdev_has(dev, VIRTIO_BLK_F_DISCARD);
	b->limits.write_zeroes = vdev_has(dev, VIRTIO_BLK_F_WRITE_ZEROES);
	b->durable_writes = !vdev_has(dev, VIRTIO_BLK_F_FLUSH) && !b->unsafe;
}

static void notify(struct vqueue *vq)
{
	serve(&block_of(vq)->queues[vq->index]);
}

static void drain(struct vqueue *vq)
{
	disk_engine_drain(block_of(vq)->queues[vq->index].engine);
}

static int adopt(struct vdev *dev, const struct virtio_state *saved, struct verr *e)
{
	struct block *b = (struct block *)dev;

	if (offer_adopt(saved, &b->config, &b->dev.offered, e) < 0)
		return verr_note(e, "disk %s", b->name);
	b->limits.readonly = b->medium->readonly || saved->features >> VIRTIO_BLK_F_RO & 1;
	return 0;
}

static const struct vdev_class block_class = {
	.name = "block",
	.virtio_id = VIRTIO_ID_BLOCK,
	.activate = activate,
	.notify = notify,
	.drain = drain,
	.pause = drain,
	.adopt = adopt,
};

/* --- making one --- */

static int new_engine(struct block_queue *q, const struct block_options *o, struct verr *e)
{
	struct block *b = q->block;
	struct verr refused = VERR_INIT;

	if (b->medium == &b->file.medium && o->engine != DISK_ENGINE_SYNC &&
	    uring_engine_new(&b->file, BLOCK_REQUESTS, on_done, q, &q->engine, &refused) == 0)
		return 0;
	if (o->engine == DISK_ENGINE_IO_URING) {
		*e = refused;
		return verr_note(e, "engine=io_uring");
	}
	return sync_engine_new(&b->medium, o->workers, on_done, q, &q->engine, e);
}

static int new_queue(struct block *b, uint16_t index, const struct block_options *o, struct verr *e)
{
	struct block_queue *q = &b->queues[index];

	*q = (struct block_queue){.block = b,
				  .vq = &b->dev.queues[index],
				  .completions = LOOP_SOURCE_INIT,
				  .timer = LOOP_SOURCE_INIT};
	b->nqueues++;
	q->slots = calloc(BLOCK_REQUESTS, sizeof(*q->slots));
	if (q->slots == NULL)
		return verr_host(e, "out of memory");
	if (new_engine(q, o, e) < 0)
		return -1;
	if (loop_timer_init(&q->timer, q->vq->loop, on_timer, q, e) < 0 ||
	    loop_edge_init(&q->completions, q->vq->loop, q->engine->event, on_completions, q, e) <
		    0)
		return -1;
	loop_enable(&q->completions);
	return 0;
}

static int build(struct block *b, const struct block_options *o, struct verr *e)
{
	if (disk_open(o, &b->file, &b->private, &b->volume, &b->medium, e) < 0)
		return -1;
	b->limits = (struct block_limits){.sectors = b->medium->size / BLOCK_SECTOR,
					  .readonly = b->medium->readonly};
	memcpy(b->id, o->id, MIN(strlen(o->id), sizeof(b->id)));
	set_limits(b, o->bytes, o->ops);
	b->config = offer_config(b->medium, o->queues);
	b->dev.class = &block_class;
	b->dev.offered = offer_features(b->medium, o->queues);
	b->dev.config = (uint8_t *)&b->config;
	b->dev.config_len = OFFER_CONFIG_LEN;
	if (vdev_init(&b->dev, o->queues, o->loops, o->nloops, e) < 0)
		return -1;
	b->queues = calloc(o->queues, sizeof(*b->queues));
	if (b->queues == NULL)
		return verr_host(e, "out of memory");
	for (uint16_t i = 0; i < o->queues; i++)
		if (new_queue(b, i, o, e) < 0)
			return -1;
	return 0;
}

int block_new(const struct block_options *o, struct block **out, struct verr *e)
{
	struct block *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return verr_host(e, "out of memory");
	b->file = (struct disk_file)DISK_FILE_INIT;
	/* A volume has something to do: it tells which pages it has. */
	b->unsafe = o->cache == DISK_CACHE_UNSAFE && o->volume == NULL;
	(void)snprintf(b->name, sizeof(b->name), "%s", o->id);
	(void)pthread_mutex_init(&b->rate_lock, NULL);
	if (build(b, o, e) < 0) {
		(void)block_free(b);
		return -1;
	}
	*out = b;
	return 0;
}

/* Returns 0 or an errno, and then some engines may still have the file of before. */
static int tell_engines(struct block *b)
{
	int error = 0;

	for (uint16_t i = 0; i < b->nqueues && error == 0; i++)
		error = b->queues[i].engine->class->changed(b->queues[i].engine);
	return error;
}

/* What the driver has been told that the disk can stays offered. */
static int change_file(struct block *b, int fd, const char *path, struct verr *e)
{
	struct disk_file old = b->file, changed;

	if (b->volume != NULL) {
		fd_close(&fd);
		return verr_state(e, "it is of a store, and has no file to change");
	}
	if (disk_file_reopen(&old, fd, path, &changed, e) < 0)
		return -1;
	b->file = changed;
	if (changed.fd != old.fd) {
		errno = tell_engines(b);
		if (errno != 0) {
			(void)verr_os(e, "give %s to io_uring", path);
			b->file = old;
			(void)tell_engines(b);
			disk_file_close(&changed);
			return -1;
		}
		disk_file_close(&old);
	}
	b->medium = &b->file.medium;
	b->private = disk_private_close(b->private);
	b->limits.sectors = b->medium->size / BLOCK_SECTOR;
	b->config = offer_config(b->medium, b->nqueues);
	vdev_config_changed(&b->dev);
	return 0;
}

int block_change_file(struct block *b, int fd, const char *path, struct verr *e)
{
	int r;

	/* A driver that resets the device meanwhile waits. */
	(void)pthread_mutex_lock(&b->dev.lock);
	vdev_pause(&b->dev);
	r = change_file(b, fd, path, e);
	vdev_resume(&b->dev);
	(void)pthread_mutex_unlock(&b->dev.lock);
	return r;
}

void block_change_limits(struct block *b, struct block_rate bytes, struct block_rate ops)
{
	set_limits(b, bytes, ops);
	for (uint16_t i = 0; i < b->nqueues; i++)
		vqueue_kick(b->queues[i].vq);
}

static void stop_queue(struct block_queue *q)
{
	(void)pthread_mutex_lock(&q->vq->lock);
	q->vq->running = false;
	if (q->engine != NULL)
		disk_engine_drain(q->engine);
	(void)pthread_mutex_unlock(&q->vq->lock);
}

void block_stop(struct block *b)
{
	for (uint16_t i = 0; b != NULL && i < b->nqueues; i++)
		stop_queue(&b->queues[i]);
}

static void free_queue(struct block_queue *q)
{
	loop_source_deinit(&q->completions);
	loop_source_deinit(&q->timer);
	q->engine = disk_engine_free(q->engine);
	free(q->slots);
}

struct block *block_free(struct block *b)
{
	if (b == NULL)
		return NULL;
	block_stop(b);
	for (uint16_t i = 0; i < b->nqueues; i++)
		free_queue(&b->queues[i]);
	free(b->queues);
	free(b->written.bits);
	vdev_deinit(&b->dev);
	b->volume = disk_volume_close(b->volume);
	b->private = disk_private_close(b->private);
	disk_file_close(&b->file);
	(void)pthread_mutex_destroy(&b->rate_lock);
	free(b);
	return NULL;
}

struct vdev *block_vdev(struct block *b)
{
	return &b->dev;
}

struct disk_written *block_written(struct block *b)
{
	return &b->written;
}

struct disk_medium *block_medium(struct block *b)
{
	return b->medium;
}

int block_file(const struct block *b)
{
	return b->file.fd;
}

const char *block_engine_name(const struct block *b)
{
	return b->queues[0].engine->class->name;
}

void block_undo(struct block *b)
{
	if (b->volume != NULL)
		disk_volume_undo(b->volume);
}

const char *block_image(const struct block *b)
{
	return b->volume != NULL ? disk_volume_image(b->volume) : NULL;
}

struct metric_group block_metrics(const struct block *b)
{
	return (struct metric_group){.name = "block",
				     .rows = block_metric_rows,
				     .count = block_metric_count,
				     .base = &b->counters};
}
