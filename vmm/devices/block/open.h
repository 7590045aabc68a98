/* SPDX-License-Identifier: Apache-2.0 */
/* What a disk's bytes are on: a file, a file that stays as it is, or a volume. */
#ifndef VOLT_VMM_DEVICES_BLOCK_OPEN_H
#define VOLT_VMM_DEVICES_BLOCK_OPEN_H

#include "vmm/devices/block/block.h"
#include "vmm/devices/block/file.h"
#include "vmm/devices/block/private.h"
#include "vmm/devices/block/volume.h"

/* One of the three, and its medium. */
V_MUST_CHECK int disk_open(const struct block_options *options, struct disk_file *file,
			   struct disk_private **private, struct disk_volume **volume,
			   struct disk_medium **medium, struct verr *e);

#endif
