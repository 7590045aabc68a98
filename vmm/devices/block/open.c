/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/devices/block/open.h"

int disk_open(const struct block_options *o, struct disk_file *file, struct disk_private **private,
	      struct disk_volume **volume, struct disk_medium **medium, struct verr *e)
{
	if (o->volume != NULL) {
		if (disk_volume_open(o->volume, volume, e) < 0)
			return -1;
		*medium = disk_volume_medium(*volume);
		return 0;
	}
	if (o->private) {
		if (disk_private_open(o->path, private, e) < 0)
			return -1;
		*medium = disk_private_medium(*private);
		return 0;
	}
	*medium = &file->medium;
	return disk_file_open(o->path, o->readonly, file, e);
}
