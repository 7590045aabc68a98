/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/virtio/device.h"

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "base/own.h"

#define ROW(field, text)                                                                      \
	{                                                                                     \
		.name = #field, .help = text, .offset = offsetof(struct vdev_counters, field) \
	}

const struct metric_row vdev_metric_rows[] = {
	ROW(notifications, "notifications of the driver's that were taken"),
	ROW(interrupts, "interrupts sent"),
	ROW(accesses, "accesses to registers"),
	ROW(bad_accesses, "accesses to registers that were refused"),
	ROW(broken, "times the driver broke a rule"),
	ROW(resets, "resets by the driver"),
};
const size_t vdev_metric_count = ARRAY_LEN(vdev_metric_rows);

static void on_kick(void *arg)
{
	struct vqueue *vq = arg;

	counter_add(&vq->dev->counters.notifications, 1);
	if (!vqueue_try_lock(vq))
		return;
	if (vq->running && vq->dev->class->notify != NULL &&
	    !(atomic_load(&vq->dev->status) & VIRTIO_CONFIG_S_NEEDS_RESET))
		vq->dev->class->notify(vq);
	(void)pthread_mutex_unlock(&vq->lock);
}

static int open_queue(struct vqueue *vq, struct verr *e)
{
	vq->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (vq->kick < 0)
		return verr_os(e, "create an eventfd");
	if (loop_edge_init(&vq->kicked, vq->loop, vq->kick, on_kick, vq, e) < 0)
		return -1;
	loop_enable(&vq->kicked);
	return 0;
}

int vdev_init(struct vdev *dev, uint16_t nqueues, struct loop *const *loops, size_t nloops,
	      struct verr *e)
{
	dev->queues = calloc(nqueues, sizeof(*dev->queues));
	if (dev->queues == NULL)
		return verr_host(e, "out of memory");
	(void)pthread_mutex_init(&dev->lock, NULL);
	dev->irq = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (dev->irq < 0)
		return verr_os(e, "create an eventfd");
	for (; dev->nqueues < nqueues; dev->nqueues++) {
		struct vqueue *vq = &dev->queues[dev->nqueues];

		*vq = (struct vqueue){.dev = dev,
				      .index = dev->nqueues,
				      .kick = -1,
				      .loop = loops[dev->nqueues % nloops],
				      .kicked = LOOP_SOURCE_INIT};
		(void)pthread_mutex_init(&vq->lock, NULL);
	}
	for (uint16_t i = 0; i < nqueues; i++)
		if (open_queue(&dev->queues[i], e) < 0)
			return -1;
	return 0;
}

void vdev_deinit(struct vdev *dev)
{
	if (dev->queues == NULL)
		return;
	for (uint16_t i = 0; i < dev->nqueues; i++) {
		loop_source_deinit(&dev->queues[i].kicked);
		fd_close(&dev->queues[i].kick);
		(void)pthread_mutex_destroy(&dev->queues[i].lock);
	}
	free(dev->queues);
	dev->queues = NULL;
	fd_close(&dev->irq);
	(void)pthread_mutex_destroy(&dev->lock);
}

/* Fails only when 2^64-2 are pending, and then one is. */
static void signal_eventfd(int fd)
{
	uint64_t one = 1;
	ssize_t n = write(fd, &one, sizeof(one));

	(void)n;
}

void vqueue_interrupt(struct vqueue *vq)
{
	if (!queue_should_interrupt(&vq->ring))
		return;
	counter_add(&vq->dev->counters.interrupts, 1);
	signal_eventfd(vq->dev->irq);
}

void vqueue_kick(const struct vqueue *vq)
{
	signal_eventfd(vq->kick);
}

void vdev_interrupt(struct vdev *dev)
{
	counter_add(&dev->counters.interrupts, 1);
	signal_eventfd(dev->irq);
}

static void interrupt_config(struct vdev *dev)
{
	atomic_store(&dev->interrupt, VIRTIO_MMIO_INT_CONFIG); /* not seen */
	vdev_interrupt(dev);
}

void vqueue_broken(struct vqueue *vq, const char *what)
{
	struct vdev *dev = vq->dev;

	vq->running = false;
	atomic_fetch_or(&dev->status, VIRTIO_CONFIG_S_NEEDS_RESET);
	counter_add(&dev->counters.broken, 1);
	log_limited(LOG_WARN, LOG_VIRTIO, &dev->limit,
		    "%s, queue %u: %s; the device waits for a reset", dev->class->name, vq->index,
		    what);
	interrupt_config(dev);
	vdev_trouble(dev, VDEV_TROUBLE_RESET);
}

void vdev_trouble(struct vdev *dev, enum vdev_trouble trouble)
{
	uint32_t before = atomic_fetch_or(&dev->trouble, trouble);

	if (dev->alarm != NULL && !(before & trouble))
		loop_wake(dev->alarm);
}

static void pause_queue(struct vqueue *vq)
{
	(void)pthread_mutex_lock(&vq->lock);
	if (vq->pauses++ == 0) {
		vq->was_running = vq->running;
		vq->running = false;
		if (vq->ring.mem != NULL && vq->dev->class->pause != NULL)
			vq->dev->class->pause(vq);
		if (vq->was_running)
			vqueue_interrupt(vq);
	}
	(void)pthread_mutex_unlock(&vq->lock);
}

void vdev_pause(struct vdev *dev)
{
	for (uint16_t i = 0; i < dev->nqueues; i++)
		pause_queue(&dev->queues[i]);
}

static void resume_queue(struct vqueue *vq)
{
	bool runs;

	(void)pthread_mutex_lock(&vq->lock);
	runs = --vq->pauses == 0 && vq->was_running;
	vq->running = runs;
	if (runs && vq->dev->class->start != NULL)
		vq->dev->class->start(vq);
	(void)pthread_mutex_unlock(&vq->lock);
	/* What came meanwhile found nobody. */
	if (runs)
		vqueue_kick(vq);
}

void vdev_resume(struct vdev *dev)
{
	for (uint16_t i = 0; i < dev->nqueues; i++)
		resume_queue(&dev->queues[i]);
}

void vdev_config_changed(struct vdev *dev)
{
	atomic_fetch_add(&dev->generation, 1);
	if (atomic_load(&dev->status) & VIRTIO_CONFIG_S_DRIVER_OK)
		interrupt_config(dev);
}
