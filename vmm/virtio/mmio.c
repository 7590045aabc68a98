/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/virtio/mmio.h"

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"

#define MAGIC 0x74726976 /* "virt" */
#define VERSION 2

/* Bits of Status, in the order in which a driver sets them; FAILED may come at any time. */
static const struct step {
	uint32_t bit, needs;
} steps[] = {
	{VIRTIO_CONFIG_S_ACKNOWLEDGE, 0},
	{VIRTIO_CONFIG_S_DRIVER, VIRTIO_CONFIG_S_ACKNOWLEDGE},
	{VIRTIO_CONFIG_S_FEATURES_OK, VIRTIO_CONFIG_S_DRIVER},
	{VIRTIO_CONFIG_S_DRIVER_OK, VIRTIO_CONFIG_S_FEATURES_OK},
	{VIRTIO_CONFIG_S_FAILED, 0},
};

int virtio_mmio_init(struct virtio_mmio *t, struct vdev *dev, const struct mem *mem, struct verr *e)
{
	*t = (struct virtio_mmio){.dev = dev, .mem = mem};
	t->queues = calloc(dev->nqueues, sizeof(*t->queues));
	return t->queues == NULL ? verr_host(e, "out of memory") : 0;
}

void virtio_mmio_deinit(struct virtio_mmio *t)
{
	free(t->queues);
	*t = (struct virtio_mmio){0};
}

static void refuse(struct virtio_mmio *t, const char *access, uint32_t offset, uint32_t len)
{
	struct vdev *dev = t->dev;

	counter_add(&dev->counters.bad_accesses, 1);
	log_limited(LOG_DEBUG, LOG_VIRTIO, &dev->limit, "%s: refused a %s of %u bytes at %#x",
		    dev->class->name, access, len, offset);
}

static struct mmio_queue *selected(struct virtio_mmio *t)
{
	return t->queue_sel < t->dev->nqueues ? &t->queues[t->queue_sel] : NULL;
}

static bool has_status(const struct virtio_mmio *t, uint32_t bits)
{
	return (atomic_load(&t->dev->status) & bits) == bits;
}

/* --- queues --- */

static void stop_queue(struct virtio_mmio *t, uint16_t index)
{
	struct vqueue *vq = &t->dev->queues[index];

	(void)pthread_mutex_lock(&vq->lock);
	vq->running = false;
	if (vq->ring.mem != NULL && t->dev->class->drain != NULL)
		t->dev->class->drain(vq);
	queue_stop(&vq->ring);
	(void)pthread_mutex_unlock(&vq->lock);
	t->queues[index].ready = false;
}

static void start_queues(struct virtio_mmio *t)
{
	struct vdev *dev = t->dev;

	for (uint16_t i = 0; i < dev->nqueues; i++) {
		struct vqueue *vq = &dev->queues[i];

		if (!t->queues[i].ready)
			continue;
		(void)pthread_mutex_lock(&vq->lock);
		vq->running = true;
		if (!queue_start(&vq->ring, t->mem, &t->queues[i].setup, dev->features))
			vqueue_broken(vq, "its size, or the place of its rings, is impossible");
		else if (dev->class->start != NULL)
			dev->class->start(vq);
		(void)pthread_mutex_unlock(&vq->lock);
		/* What was made available before now may have been notified of before now. */
		vqueue_kick(vq);
	}
}

/* May the selected queue's set-up change now? */
static bool can_set_up(struct virtio_mmio *t)
{
	const struct mmio_queue *q = selected(t);

	return q != NULL && !q->ready && has_status(t, VIRTIO_CONFIG_S_FEATURES_OK) &&
	       !has_status(t, VIRTIO_CONFIG_S_DRIVER_OK);
}

static void set_low(uint64_t *address, uint32_t value)
{
	*address = (*address & ~(uint64_t)UINT32_MAX) | value;
}

static void set_high(uint64_t *address, uint32_t value)
{
	*address = (*address & UINT32_MAX) | (uint64_t)value << 32;
}

static bool set_up_queue(struct virtio_mmio *t, uint32_t offset, uint32_t value)
{
	struct queue_setup *s;

	if (!can_set_up(t))
		return false;
	s = &selected(t)->setup;
	switch (offset) {
	case VIRTIO_MMIO_QUEUE_NUM:
		if (value == 0 || value > QUEUE_SIZE_MAX || (value & (value - 1)) != 0)
			return false;
		s->size = (uint16_t)value;
		break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
		set_low(&s->desc, value);
		break;
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
		set_high(&s->desc, value);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
		set_low(&s->avail, value);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
		set_high(&s->avail, value);
		break;
	case VIRTIO_MMIO_QUEUE_USED_LOW:
		set_low(&s->used, value);
		break;
	case VIRTIO_MMIO_QUEUE_USED_HIGH:
		set_high(&s->used, value);
		break;
	default:
		return false;
	}
	return true;
}

/* 1 makes a queue part of the set-up; 0 ends its use, at any time (4.2.2.2). */
static bool set_ready(struct virtio_mmio *t, uint32_t value)
{
	struct mmio_queue *q = selected(t);

	if (q == NULL || value > 1)
		return false;
	if (value == 0) {
		stop_queue(t, (uint16_t)t->queue_sel);
		return true;
	}
	if (!can_set_up(t) || q->setup.size == 0)
		return false;
	q->ready = true;
	return true;
}

/* --- status --- */

static void reset_locked(struct virtio_mmio *t)
{
	struct vdev *dev = t->dev;

	/* No notification starts anything new while the queues drain one by one. */
	for (uint16_t i = 0; i < dev->nqueues; i++)
		stop_queue(t, i);
	memset(t->queues, 0, dev->nqueues * sizeof(*t->queues));
	t->device_features_sel = t->driver_features_sel = t->queue_sel = 0;
	t->driver_features = 0;
	dev->features = 0;
	atomic_store(&dev->interrupt, 0);
	atomic_store(&dev->status, 0);
	counter_add(&dev->counters.resets, 1);
}

void virtio_mmio_reset(struct virtio_mmio *t)
{
	(void)pthread_mutex_lock(&t->dev->lock);
	reset_locked(t);
	(void)pthread_mutex_unlock(&t->dev->lock);
}

/* FEATURES_OK stays clear when the driver wants what is not there, or the old interface. */
static bool accept_features(struct virtio_mmio *t)
{
	if ((t->driver_features & ~t->dev->offered) != 0 ||
	    !(t->driver_features >> VIRTIO_F_VERSION_1 & 1))
		return false;
	t->dev->features = t->driver_features;
	return true;
}

static bool take_step(struct virtio_mmio *t, uint32_t bit)
{
	struct vdev *dev = t->dev;

	if (bit == VIRTIO_CONFIG_S_FEATURES_OK && !accept_features(t))
		return false;
	if (bit == VIRTIO_CONFIG_S_DRIVER_OK && dev->class->activate != NULL)
		dev->class->activate(dev);
	atomic_fetch_or(&dev->status, bit);
	if (bit == VIRTIO_CONFIG_S_DRIVER_OK)
		start_queues(t);
	return true;
}

static bool write_status(struct virtio_mmio *t, uint32_t value)
{
	uint32_t status = atomic_load(&t->dev->status);

	if (value == 0) {
		reset_locked(t);
		return true;
	}
	/* Bits are only added, all of them known ones; the device's own bit may be written back. */
	if ((status & ~value & ~(uint32_t)VIRTIO_CONFIG_S_NEEDS_RESET) != 0)
		return false;
	value &= ~(uint32_t)VIRTIO_CONFIG_S_NEEDS_RESET;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		if (!(value & steps[i].bit))
			continue;
		value &= ~steps[i].bit;
		if (status & steps[i].bit)
			continue;
		if (!has_status(t, steps[i].needs) || !take_step(t, steps[i].bit))
			return false;
	}
	return value == 0;
}

/* --- the configuration space --- */

static void access_config(struct virtio_mmio *t, uint32_t offset, uint8_t *read_to,
			  const uint8_t *write_from, uint32_t len)
{
	struct vdev *dev = t->dev;

	if ((len != 1 && len != 2 && len != 4 && len != 8) ||
	    !range_within(offset, len, dev->config_len)) {
		refuse(t, read_to != NULL ? "read" : "write", offset + VIRTIO_MMIO_CONFIG, len);
		return;
	}
	if (read_to != NULL)
		memcpy(read_to, dev->config + offset, len);
	else if (dev->class->config_write != NULL && has_status(t, VIRTIO_CONFIG_S_DRIVER))
		dev->class->config_write(dev, offset, write_from, len);
	else
		refuse(t, "write", offset + VIRTIO_MMIO_CONFIG, len);
}

/* --- registers --- */

static uint32_t features_word(uint64_t features, uint32_t sel)
{
	return sel > 1 ? 0 : (uint32_t)(features >> 32 * sel);
}

/* False where there is nothing to read. */
static bool read_register(struct virtio_mmio *t, uint32_t offset, uint32_t *value)
{
	struct vdev *dev = t->dev;
	const struct mmio_queue *q = selected(t);

	switch (offset) {
	case VIRTIO_MMIO_MAGIC_VALUE:
		*value = MAGIC;
		return true;
	case VIRTIO_MMIO_VERSION:
		*value = VERSION;
		return true;
	case VIRTIO_MMIO_DEVICE_ID:
		*value = dev->class->virtio_id;
		return true;
	case VIRTIO_MMIO_VENDOR_ID:
		*value = VIRTIO_MMIO_VENDOR;
		return true;
	case VIRTIO_MMIO_DEVICE_FEATURES:
		*value = features_word(dev->offered, t->device_features_sel);
		return true;
	case VIRTIO_MMIO_QUEUE_NUM_MAX:
		*value = q != NULL ? QUEUE_SIZE_MAX : 0;
		return true;
	case VIRTIO_MMIO_QUEUE_READY:
		*value = q != NULL && q->ready;
		return true;
	case VIRTIO_MMIO_STATUS:
		*value = atomic_load(&dev->status);
		return true;
	case VIRTIO_MMIO_CONFIG_GENERATION:
		*value = atomic_load(&dev->generation);
		return true;
	case VIRTIO_MMIO_SHM_LEN_LOW:
	case VIRTIO_MMIO_SHM_LEN_HIGH:
	case VIRTIO_MMIO_SHM_BASE_LOW:
	case VIRTIO_MMIO_SHM_BASE_HIGH:
		*value = UINT32_MAX; /* no such region */
		return true;
	default:
		return false;
	}
}

static bool write_register(struct virtio_mmio *t, uint32_t offset, uint32_t value)
{
	switch (offset) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
		t->device_features_sel = value;
		return true;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
		t->driver_features_sel = value;
		return true;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		if (!has_status(t, VIRTIO_CONFIG_S_DRIVER) ||
		    has_status(t, VIRTIO_CONFIG_S_FEATURES_OK) || t->driver_features_sel > 1)
			return false;
		if (t->driver_features_sel == 0)
			set_low(&t->driver_features, value);
		else
			set_high(&t->driver_features, value);
		return true;
	case VIRTIO_MMIO_QUEUE_SEL:
		t->queue_sel = value;
		return true;
	case VIRTIO_MMIO_QUEUE_READY:
		return set_ready(t, value);
	case VIRTIO_MMIO_QUEUE_NOTIFY:
		/* KVM takes a notification as an ioeventfd; one that it did not know comes here. */
		if (value >= t->dev->nqueues)
			return false;
		vqueue_kick(&t->dev->queues[value]);
		return true;
	case VIRTIO_MMIO_STATUS:
		return write_status(t, value);
	case VIRTIO_MMIO_SHM_SEL:
		return true;
	default:
		return set_up_queue(t, offset, value);
	}
}

/*
 * The two registers that every interrupt costs, without a lock. That a buffer was used (bit 0) is
 * always said once the driver runs: an interrupt without one is legal (2.3), and with nothing to
 * clear no acknowledgement can be lost against the next interrupt.
 */
static uint32_t interrupt_status(struct vdev *dev)
{
	uint32_t runs = atomic_load(&dev->status) & VIRTIO_CONFIG_S_DRIVER_OK;
	uint32_t changed = VIRTIO_MMIO_INT_CONFIG;

	/* Whether it is seen for the first time or again, now it is. */
	if (!atomic_compare_exchange_strong(&dev->interrupt, &changed,
					    VIRTIO_MMIO_INT_CONFIG | VDEV_CONFIG_SEEN))
		changed &= VIRTIO_MMIO_INT_CONFIG;
	return (runs ? VIRTIO_MMIO_INT_VRING : 0) | changed;
}

static void acknowledge(struct vdev *dev, uint32_t bits)
{
	uint32_t seen = VIRTIO_MMIO_INT_CONFIG | VDEV_CONFIG_SEEN;

	if (bits & VIRTIO_MMIO_INT_CONFIG)
		(void)atomic_compare_exchange_strong(&dev->interrupt, &seen, 0);
}

void virtio_mmio_read(struct virtio_mmio *t, uint32_t offset, uint8_t *data, uint32_t len)
{
	struct vdev *dev = t->dev;
	uint32_t value = 0;
	bool known = false;

	counter_add(&dev->counters.accesses, 1);
	memset(data, 0, len);
	if (offset == VIRTIO_MMIO_INTERRUPT_STATUS && len == sizeof(value)) {
		put_le32(data, interrupt_status(dev));
		return;
	}
	(void)pthread_mutex_lock(&dev->lock);
	if (offset >= VIRTIO_MMIO_CONFIG) {
		access_config(t, offset - VIRTIO_MMIO_CONFIG, data, NULL, len);
		known = true;
	} else if (len == sizeof(value)) {
		known = read_register(t, offset, &value);
		put_le32(data, value);
	}
	if (!known)
		refuse(t, "read", offset, len);
	(void)pthread_mutex_unlock(&dev->lock);
}

void virtio_mmio_write(struct virtio_mmio *t, uint32_t offset, const uint8_t *data, uint32_t len)
{
	struct vdev *dev = t->dev;
	bool known = false;

	counter_add(&dev->counters.accesses, 1);
	if (offset == VIRTIO_MMIO_INTERRUPT_ACK && len == sizeof(uint32_t)) {
		acknowledge(dev, le32(data));
		return;
	}
	(void)pthread_mutex_lock(&dev->lock);
	if (offset >= VIRTIO_MMIO_CONFIG) {
		access_config(t, offset - VIRTIO_MMIO_CONFIG, NULL, data, len);
		known = true;
	} else if (len == sizeof(uint32_t)) {
		known = write_register(t, offset, le32(data));
	}
	if (!known)
		refuse(t, "write", offset, len);
	(void)pthread_mutex_unlock(&dev->lock);
}
