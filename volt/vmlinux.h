/* SPDX-License-Identifier: Apache-2.0 */
/* What comes out of an image, or goes into the store, must be a kernel: ELF-64 for x86-64. */
#ifndef VOLT_VOLT_VMLINUX_H
#define VOLT_VOLT_VMLINUX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/verr.h"

struct vmlinux {
	bool pvh; /* it has the note with PVH's entry */
};

/* Check the kernel in `fd` (borrowed), a file of `size` bytes, and say what it is like. */
V_MUST_CHECK int vmlinux_inspect(int fd, uint64_t size, struct vmlinux *out, struct verr *e);

#endif
