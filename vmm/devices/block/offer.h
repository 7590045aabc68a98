/* SPDX-License-Identifier: Apache-2.0 */
/* What a disk tells its driver: the configuration space (VIRTIO 1.2, 5.2.4) and the features. */
#ifndef VOLT_VMM_DEVICES_BLOCK_OFFER_H
#define VOLT_VMM_DEVICES_BLOCK_OFFER_H

#include <linux/virtio_blk.h>

#include "vmm/devices/block/disk.h"

struct virtio_blk_config offer_config(const struct disk_medium *medium, uint16_t queues);
uint64_t offer_features(const struct disk_medium *medium, uint16_t queues);

#endif
