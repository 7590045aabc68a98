/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts a disk whose file system is not known beforehand. */
#ifndef VOLT_INIT_DISKMOUNT_H
#define VOLT_INIT_DISKMOUNT_H

#include <stdbool.h>

/*
 * "types" is a list with commas of what to try in turn. NULL: what the disk says that it is, then
 * everything in /proc/filesystems. False with errno, of the first type that did not just say that
 * it is another.
 */
bool diskmount(const char *device, const char *target, const char *types, unsigned long flags,
	       const char *data);

#endif
