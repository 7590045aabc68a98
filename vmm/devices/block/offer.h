/* SPDX-License-Identifier: Apache-2.0 */
/* What a disk tells its driver: the configuration space (VIRTIO 1.2, 5.2.4) and the features. */
#ifndef VOLT_VMM_DEVICES_BLOCK_OFFER_H
#define VOLT_VMM_DEVICES_BLOCK_OFFER_H

#include <linux/virtio_blk.h>

#include "vmm/devices/block/disk.h"
#include "vmm/state/lists.h"

/* What is behind it in struct virtio_blk_config came later. */
#define OFFER_CONFIG_LEN (offsetof(struct virtio_blk_config, unused1) + 3)

struct virtio_blk_config offer_config(const struct disk_medium *medium, uint16_t queues);
uint64_t offer_features(const struct disk_medium *medium, uint16_t queues);

/*
 * The disk that was saved has another medium now: a fault where it is not as large. What else it
 * said of itself stays, and what the driver was offered, too: what this medium cannot do is
 * answered so, one request at a time.
 */
V_MUST_CHECK int offer_adopt(const struct virtio_state *saved, struct virtio_blk_config *config,
			     uint64_t *features, struct verr *e);

#endif
