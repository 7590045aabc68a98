/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share. */
#ifndef VOLT_VMM_BOOT_BOOT_PRIV_H
#define VOLT_VMM_BOOT_BOOT_PRIV_H

#include <stdint.h>

#include "vmm/boot/boot.h"
#include "vmm/mem/mem.h"

/*
 * The end of guest memory below the hole. Kernel and initrd lie below it: the boot page tables map
 * no more, and both entries know 32-bit addresses only.
 */
uint64_t boot_low_end(const struct mem *mem);

/*
 * Raise the fault that guest memory ends before `need`, the first byte after `what`: with the size
 * that is enough, or with the limit when none is.
 */
int boot_too_small(const struct mem *mem, const char *what, uint64_t need, struct verr *e);

#endif
