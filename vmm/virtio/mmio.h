/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transport: a device's registers in memory (VIRTIO 1.2, 4.2; version 2 only).
 *
 * The driver's steps are held to their order (3.1.1): status bits are only ever added, features are
 * frozen by FEATURES_OK and queues by DRIVER_OK; what comes out of turn is refused. Refused writes
 * do nothing, refused reads give zero; both are counted.
 */
#ifndef VOLT_VMM_VIRTIO_MMIO_H
#define VOLT_VMM_VIRTIO_MMIO_H

#include "vmm/virtio/device.h"

/* Registers, then the configuration space. */
#define VIRTIO_MMIO_LEN 0x200

/* The vendor that the driver reads: "VOLT". */
#define VIRTIO_MMIO_VENDOR 0x544C4F56U

/* What the driver is setting up. All under vdev.lock. */
struct virtio_mmio {
	struct vdev *dev;      /* borrowed */
	const struct mem *mem; /* borrowed */
	uint32_t device_features_sel, driver_features_sel;
	uint64_t driver_features;
	uint32_t queue_sel;
	struct mmio_queue {
		struct queue_setup setup;
		bool ready;
	} * queues; /* as many as the device has */
};

V_MUST_CHECK int virtio_mmio_init(struct virtio_mmio *t, struct vdev *dev, const struct mem *mem,
				  struct verr *e);
void virtio_mmio_deinit(struct virtio_mmio *t); /* legal on a zeroed one */

/*
 * One access of `len` bytes at `offset` below VIRTIO_MMIO_LEN, little-endian in `data`. Any vCPU's
 * thread. A write to Status may wait for the device's I/O in flight.
 */
void virtio_mmio_read(struct virtio_mmio *t, uint32_t offset, uint8_t *data, uint32_t len);
void virtio_mmio_write(struct virtio_mmio *t, uint32_t offset, const uint8_t *data, uint32_t len);

/*
 * What the driver has set up, and where its queues are; of a paused device, while no vCPU runs.
 */
void virtio_mmio_capture(struct virtio_mmio *t, struct virtio_state *out);

/*
 * Go on as the device that was saved, in place of a driver's set-up: a fault where no driver could
 * have brought it there, or this device is another. It is paused then, and vdev_resume() starts its
 * queues where they were; and the driver is interrupted, for it may have been about to be.
 */
V_MUST_CHECK int virtio_mmio_apply(struct virtio_mmio *t, const struct virtio_state *in,
				   struct verr *e);

/*
 * As when the driver writes 0 to Status: every queue is drained and stopped, all that was
 * negotiated is forgotten. Any thread.
 */
void virtio_mmio_reset(struct virtio_mmio *t);

#endif
