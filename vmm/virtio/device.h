/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtio device, apart from how it is reached. Theory of operation:
 *
 * A class says what a device is and does in one constant struct; an instance embeds struct vdev
 * first. The transport (mmio.h) owns the registers: negotiation, the order of the status bits,
 * where the queues are. It latches the queues when the driver says DRIVER_OK; a device sees only
 * queues that run.
 *
 * Threads. Register accesses come from vCPU threads and hold vdev.lock, but for the two that every
 * interrupt makes. A queue belongs to one loop, where its notifications arrive; all that touches a
 * running queue holds vqueue.lock. Order: vdev.lock before vqueue.lock.
 *
 * Reset, and the end of a single queue, happen on a vCPU's thread while the driver waits: when the
 * class's drain() returns, nothing of that queue touches guest memory any more. That may take as
 * long as the disk takes, with the queue's lock held: so a loop only tries to have that lock.
 */
#ifndef VOLT_VMM_VIRTIO_DEVICE_H
#define VOLT_VMM_VIRTIO_DEVICE_H

#include <linux/virtio_config.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "vmm/state/lists.h"
#include "vmm/virtio/queue.h"

struct vdev;

/* A device's queue, and its way to the loop. */
struct vqueue {
	struct vdev *dev;
	uint16_t index;
	int kick; /* eventfd: KVM or the transport writes it when the driver notifies */
	struct loop *loop;
	struct loop_source kicked;

	pthread_mutex_t lock;
	bool running;      /* lock; between DRIVER_OK and reset, but not while paused */
	unsigned pauses;   /* lock; it runs again when the last of them ends */
	bool was_running;  /* lock; when the first began */
	struct queue ring; /* lock; valid while running */
};

struct vdev_class {
	const char *name;   /* "block": in logs and metrics */
	uint32_t virtio_id; /* VIRTIO 1.2, 5 */

	/*
	 * The queues run now, with the features in vdev.features. vdev.lock is held. Any of the
	 * operations may be NULL: nothing to do.
	 */
	void (*activate)(struct vdev *dev);

	/*
	 * The queue runs now, from its beginning or after a pause, with its ring latched: for what
	 * serves it elsewhere. vqueue.lock is held.
	 */
	void (*start)(struct vqueue *vq);

	/* The driver has notified. The queue's loop, vqueue.lock held, the queue runs. */
	void (*notify)(struct vqueue *vq);

	/*
	 * Finish or drop what is in flight on a queue that is no longer `running`, and return when
	 * none of it touches guest memory any more. Any thread, vqueue.lock held throughout.
	 */
	void (*drain)(struct vqueue *vq);

	/*
	 * Finish what is in flight on a queue that is no longer `running` but will be again, and
	 * return when none of it touches guest memory; what is merely held stays. Afterwards
	 * notify() picks up the work. The machine's loop, vqueue.lock held throughout.
	 */
	void (*pause)(struct vqueue *vq);

	/* Chains that a paused queue has taken and would give to the next one who serves it. */
	uint16_t (*holds)(const struct vqueue *vq);

	/*
	 * The device goes on as one that was saved: does what that one told its driver hold here?
	 * What can be made up for (configuration space, what is offered) is; a fault names what
	 * cannot. NULL: the configuration space must be the same. No queue runs. vdev.lock is held.
	 */
	int (*adopt)(struct vdev *dev, const struct virtio_state *saved, struct verr *e);

	/* The driver has written to the configuration space. vdev.lock is held. */
	void (*config_write)(struct vdev *dev, uint32_t offset, const void *data, uint32_t len);
};

struct vdev_counters {
	counter notifications; /* taken from the eventfd */
	counter interrupts;
	counter accesses;     /* to registers */
	counter bad_accesses; /* refused ones among them */
	counter broken;       /* times the driver broke a rule and the device stopped */
	counter resets;
};

/* What a class's constructor fills in, then vdev_init() completes. */
struct vdev {
	const struct vdev_class *class;
	uint64_t offered; /* feature bits; the transport adds none */
	uint8_t *config;  /* the configuration space; owned by the device, changed under `lock` */
	uint32_t config_len;

	struct vqueue *queues;
	uint16_t nqueues;
	int irq; /* eventfd: writing it interrupts the guest */

	pthread_mutex_t lock;
	uint64_t features; /* lock; negotiated */

	_Atomic uint32_t status;     /* VIRTIO_CONFIG_S_*; written under `lock`, but NEEDS_RESET */
	_Atomic uint32_t interrupt;  /* VIRTIO_MMIO_INT_CONFIG, VDEV_CONFIG_SEEN, both or nothing */
	_Atomic uint32_t generation; /* of the configuration space */
	_Atomic uint32_t trouble;    /* enum vdev_trouble; who handles it clears it */
	struct loop_source *alarm;   /* woken by trouble; borrowed; NULL: nobody wants to know */
	struct log_limit limit;
	struct vdev_counters counters;
};

/*
 * The driver has read that the configuration changed. An acknowledgement clears only what was seen:
 * it may come late, after a further change that the driver does not know of yet.
 */
#define VDEV_CONFIG_SEEN (1U << 8)

/* What every device offers: VIRTIO 1.2's interface, indirect descriptors, event indices. */
#define VDEV_FEATURES                                                       \
	(1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_RING_F_INDIRECT_DESC | \
	 1ULL << VIRTIO_RING_F_EVENT_IDX)

/*
 * Make the queues of an instance whose first four fields are set. `loops` (borrowed) has `nloops`
 * loops; queue n belongs to loop n modulo that. Before the loops run.
 */
V_MUST_CHECK int vdev_init(struct vdev *dev, uint16_t nqueues, struct loop *const *loops,
			   size_t nloops, struct verr *e);

/* Legal on a half-made instance. Nobody may use the device any more, and its loops have ended. */
void vdev_deinit(struct vdev *dev);

/* Has the driver negotiated this feature bit? From activate() on, and while a queue runs. */
static inline bool vdev_has(const struct vdev *dev, unsigned bit)
{
	return dev->features >> bit & 1;
}

/*
 * Take the queue's lock, in a callback of its loop. False: leave the queue alone, for a vCPU's
 * thread starts it, or the main one resumes it, and kicks it afterwards; or they end or pause it,
 * and take what is in flight themselves.
 */
V_MUST_CHECK static inline bool vqueue_try_lock(struct vqueue *vq)
{
	return pthread_mutex_trylock(&vq->lock) == 0;
}

/* Interrupt the driver if it wants to hear of what was put. Lock of the queue held. */
void vqueue_interrupt(struct vqueue *vq);

/* Call the class's notify() again soon: there is more than one turn's work. Any thread. */
void vqueue_kick(const struct vqueue *vq);

/*
 * The driver broke a rule: the device stops, says so (VIRTIO 1.2, 2.1.2) and waits for a reset.
 * `what` is logged. Lock of the queue held; the queue no longer runs afterwards.
 */
void vqueue_broken(struct vqueue *vq, const char *what);

/* After a change of the configuration space, made under `lock`: tell the driver. Lock held. */
void vdev_config_changed(struct vdev *dev);

/* What the host's side should hear of. */
enum vdev_trouble {
	VDEV_TROUBLE_RESET = 1, /* the driver broke a rule, the device needs a reset */
	VDEV_TROUBLE_ERROR = 2, /* the host failed the device: a disk's read, a link */
};

/* Any thread. Costs a system call when it is news. */
void vdev_trouble(struct vdev *dev, enum vdev_trouble trouble);

/*
 * No queue touches guest memory between the two, and what was in flight is done. They nest. The
 * driver cannot reset the device meanwhile, for vCPUs stand still, or vdev.lock is held.
 */
void vdev_pause(struct vdev *dev);
void vdev_resume(struct vdev *dev);

/* Interrupt the driver, whatever it has asked for: it finds that there was nothing, or something.
 */
void vdev_interrupt(struct vdev *dev);

extern const struct metric_row vdev_metric_rows[];
extern const size_t vdev_metric_count;

#endif
