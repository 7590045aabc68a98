/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A raw file as a disk that is written to, and stays as it is: what this machine writes goes to a
 * temporary file that nobody else sees, and that is gone with it. Whoever has the file locked to
 * read it, as several such machines may, keeps writers off.
 */
#ifndef VOLT_VMM_DEVICES_BLOCK_PRIVATE_H
#define VOLT_VMM_DEVICES_BLOCK_PRIVATE_H

#include "vmm/devices/block/disk.h"

struct disk_private;

V_MUST_CHECK int disk_private_open(const char *path, struct disk_private **out, struct verr *e);

/* Nothing is in flight. Takes NULL; returns NULL. */
struct disk_private *disk_private_close(struct disk_private *d);

struct disk_medium *disk_private_medium(struct disk_private *d);

#endif
