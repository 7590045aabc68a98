/* SPDX-License-Identifier: Apache-2.0 */
/* The transport's and the queues' saved state. */
#include <inttypes.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <string.h>

#include "vmm/virtio/mmio.h"

#define ANY_STATUS                                                           \
	(uint32_t)(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |    \
		   VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK | \
		   VIRTIO_CONFIG_S_FAILED | VIRTIO_CONFIG_S_NEEDS_RESET)

/* --- capturing --- */

static void capture_queue(const struct mmio_queue *q, struct vqueue *vq,
			  struct virtio_queue_state *out)
{
	*out = (struct virtio_queue_state){.ready = q->ready,
					   .size = q->setup.size,
					   .desc = q->setup.desc,
					   .avail = q->setup.avail,
					   .used = q->setup.used};
	(void)pthread_mutex_lock(&vq->lock);
	out->runs = vq->pauses > 0 ? vq->was_running : vq->running;
	if (out->runs) {
		uint16_t held = vq->dev->class->holds != NULL ? vq->dev->class->holds(vq) : 0;

		out->next_avail = (uint16_t)(vq->ring.next_avail - held);
		out->next_used = vq->ring.next_used;
	}
	(void)pthread_mutex_unlock(&vq->lock);
}

void virtio_mmio_capture(struct virtio_mmio *t, struct virtio_state *out)
{
	struct vdev *dev = t->dev;

	(void)pthread_mutex_lock(&dev->lock);
	*out = (struct virtio_state){.device = dev->class->virtio_id,
				     .status = atomic_load(&dev->status),
				     .generation = atomic_load(&dev->generation),
				     .interrupt = atomic_load(&dev->interrupt),
				     .features = dev->features,
				     .driver_features = t->driver_features,
				     .device_features_sel = t->device_features_sel,
				     .driver_features_sel = t->driver_features_sel,
				     .queue_sel = t->queue_sel,
				     .config_count = dev->config_len,
				     .queues_count = dev->nqueues};
	if (dev->config_len > 0)
		memcpy(out->config, dev->config, dev->config_len);
	for (uint16_t i = 0; i < dev->nqueues; i++)
		capture_queue(&t->queues[i], &dev->queues[i], &out->queues[i]);
	(void)pthread_mutex_unlock(&dev->lock);
}

/* --- checking --- */

static bool has(const struct virtio_state *in, uint32_t bits)
{
	return (in->status & bits) == bits;
}

/* Bits of Status came in their order. */
static bool status_possible(const struct virtio_state *in)
{
	if (in->status & ~ANY_STATUS)
		return false;
	if (has(in, VIRTIO_CONFIG_S_DRIVER) && !has(in, VIRTIO_CONFIG_S_ACKNOWLEDGE))
		return false;
	if (has(in, VIRTIO_CONFIG_S_FEATURES_OK) && !has(in, VIRTIO_CONFIG_S_DRIVER))
		return false;
	if (has(in, VIRTIO_CONFIG_S_DRIVER_OK) && !has(in, VIRTIO_CONFIG_S_FEATURES_OK))
		return false;
	return !has(in, VIRTIO_CONFIG_S_NEEDS_RESET) || has(in, VIRTIO_CONFIG_S_DRIVER_OK);
}

static bool interrupt_possible(uint32_t interrupt)
{
	return interrupt == 0 || interrupt == VIRTIO_MMIO_INT_CONFIG ||
	       interrupt == (VIRTIO_MMIO_INT_CONFIG | VDEV_CONFIG_SEEN);
}

static bool features_possible(const struct virtio_state *in)
{
	if (!has(in, VIRTIO_CONFIG_S_FEATURES_OK))
		return in->features == 0;
	return in->features == in->driver_features && in->features >> VIRTIO_F_VERSION_1 & 1;
}

static bool queue_possible(const struct virtio_state *in, const struct virtio_queue_state *q)
{
	bool latched = has(in, VIRTIO_CONFIG_S_DRIVER_OK);

	if (q->size > QUEUE_SIZE_MAX || (q->size & (q->size - 1)) != 0)
		return false;
	if (q->ready && (q->size == 0 || !has(in, VIRTIO_CONFIG_S_FEATURES_OK)))
		return false;
	if (q->runs)
		return q->ready && latched;
	/* What is ready runs, unless the driver has broken a rule. */
	return !q->ready || !latched || has(in, VIRTIO_CONFIG_S_NEEDS_RESET);
}

static int check(const struct vdev *dev, const struct virtio_state *in, struct verr *e)
{
	if (in->device != dev->class->virtio_id)
		return verr_invalid(e, "this is a %s (device %u), and was a device %u",
				    dev->class->name, dev->class->virtio_id, in->device);
	if (in->queues_count != dev->nqueues)
		return verr_invalid(e, "%s: it has %u queues, and had %u", dev->class->name,
				    dev->nqueues, in->queues_count);
	if (in->config_count != dev->config_len)
		return verr_invalid(e, "%s: its configuration space has another length",
				    dev->class->name);
	if (!status_possible(in) || !interrupt_possible(in->interrupt) || !features_possible(in))
		return verr_corrupt(e, "%s: no driver could have brought it into this state",
				    dev->class->name);
	for (uint16_t i = 0; i < dev->nqueues; i++)
		if (!queue_possible(in, &in->queues[i]))
			return verr_corrupt(e, "%s: no driver could have set queue %u up so",
					    dev->class->name, i);
	return 0;
}

static int adopt(struct vdev *dev, const struct virtio_state *in, struct verr *e)
{
	uint64_t missing;

	if (dev->class->adopt != NULL && dev->class->adopt(dev, in, e) < 0)
		return verr_note(e, "%s", dev->class->name);
	if (dev->class->adopt == NULL && dev->config_len > 0 &&
	    memcmp(dev->config, in->config, dev->config_len) != 0)
		return verr_invalid(e, "%s: it is another one", dev->class->name);
	missing = in->features & ~dev->offered;
	if (missing != 0)
		return verr_invalid(e,
				    "%s: its driver uses features %#" PRIx64 ", not to be had here",
				    dev->class->name, missing);
	return 0;
}

/* --- applying --- */

/* The queue as if it had run and were paused. */
static int apply_queue(struct virtio_mmio *t, uint16_t index, const struct virtio_queue_state *in,
		       struct verr *e)
{
	struct vqueue *vq = &t->dev->queues[index];
	struct mmio_queue *q = &t->queues[index];
	bool started = true;

	*q = (struct mmio_queue){
		.ready = in->ready,
		.setup = {
			.size = in->size, .desc = in->desc, .avail = in->avail, .used = in->used}};
	(void)pthread_mutex_lock(&vq->lock);
	vq->running = false;
	vq->pauses = 1;
	vq->was_running = in->runs;
	if (in->runs)
		started = queue_start(&vq->ring, t->mem, &q->setup, t->dev->features);
	if (in->runs && started) {
		vq->ring.next_avail = in->next_avail;
		vq->ring.next_used = vq->ring.asked_used = in->next_used;
	}
	(void)pthread_mutex_unlock(&vq->lock);
	return started ? 0
		       : verr_corrupt(e, "%s: queue %u is not in guest memory", t->dev->class->name,
				      index);
}

static int apply(struct virtio_mmio *t, const struct virtio_state *in, struct verr *e)
{
	struct vdev *dev = t->dev;

	if (check(dev, in, e) < 0 || adopt(dev, in, e) < 0)
		return -1;
	t->driver_features = in->driver_features;
	t->device_features_sel = in->device_features_sel;
	t->driver_features_sel = in->driver_features_sel;
	t->queue_sel = in->queue_sel;
	dev->features = in->features;
	atomic_store(&dev->generation, in->generation);
	atomic_store(&dev->interrupt, in->interrupt);
	for (uint16_t i = 0; i < dev->nqueues; i++)
		if (apply_queue(t, i, &in->queues[i], e) < 0)
			return -1;
	if (has(in, VIRTIO_CONFIG_S_DRIVER_OK) && dev->class->activate != NULL)
		dev->class->activate(dev);
	atomic_store(&dev->status, in->status);
	if (has(in, VIRTIO_CONFIG_S_DRIVER_OK))
		vdev_interrupt(dev);
	return 0;
}

int virtio_mmio_apply(struct virtio_mmio *t, const struct virtio_state *in, struct verr *e)
{
	int r;

	(void)pthread_mutex_lock(&t->dev->lock);
	r = apply(t, in, e);
	(void)pthread_mutex_unlock(&t->dev->lock);
	return r;
}
