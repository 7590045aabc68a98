/* SPDX-License-Identifier: Apache-2.0 */
/* The root disk, as the kernel command line has it: mounted from an initramfs, or made writable. */
#ifndef VOLT_INIT_ROOTDISK_H
#define VOLT_INIT_ROOTDISK_H

#include "rootfs/volt-init/options.h"
#include "rootfs/volt-init/why.h"

/* Waits for the disk that root= names and mounts it, as the kernel does where there is no
 * initramfs. */
int rootdisk_mount(const struct options *options, const char *target, struct why *why);

/*
 * Makes "/" read-only or writable: as "ro" or "rw" on the command line say, else as the line for it
 * in /etc/fstab, whose other options it gets in any case. What fails costs a line.
 */
void rootdisk_remount(const struct options *options);

#endif
