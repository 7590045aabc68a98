/* SPDX-License-Identifier: Apache-2.0 */
/* From the initramfs to a root disk, for good: what was mounted moves along, the memory is freed.
 */
#ifndef VOLT_INIT_NEWROOT_H
#define VOLT_INIT_NEWROOT_H

#include "rootfs/volt-init/why.h"

/*
 * Makes the file system mounted on "folder" this process's root, with /proc, /sys and /dev moved
 * into it, and empties the old root, of which no file may be needed any more.
 */
int newroot_enter(const char *folder, struct why *why);

#endif
