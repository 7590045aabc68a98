/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The initrd of a kernel that has the drivers of Volt's devices as modules: those modules, their
 * order, and volt-init, which loads them, mounts the root disk and goes on there
 * (contract/initrd.h). A kernel with all of them built in needs none.
 */
#ifndef VOLT_VOLT_KERNEL_INITRD_H
#define VOLT_VOLT_KERNEL_INITRD_H

#include <stdbool.h>

#include "volt/cpio.h"

struct initrd_source {
	const char *release;   /* of the kernel; "" when not known */
	const char *modules;   /* the folder with modules.dep */
	const char *volt_init; /* the program's file */
};

/* Write the initrd to `out`; `*made` is false, and nothing written, where none is needed. Says on
 * stderr what a guest will miss. */
V_MUST_CHECK int kernel_initrd_make(const struct initrd_source *source, struct cpio *out,
				    bool *made, struct verr *e);

/* Whether a kernel without modules has the drivers for a root disk, by the names in it. */
bool kernel_initrd_is_complete(struct bytes vmlinux);

#endif
