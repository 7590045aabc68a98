/* SPDX-License-Identifier: Apache-2.0 */
/* What import and build share: the last steps into the store. */
#ifndef VOLT_VOLT_KERNEL_ADD_H
#define VOLT_VOLT_KERNEL_ADD_H

#include "volt/stage.h"

struct kernel_origin {
	const char *release; /* "" when not known */
	const char *from;    /* the file, or what made it */
	const char *packed;
};

/*
 * Check the vmlinux in `st`, open as `fd`, note its origin beside it, give all of it its name, and
 * print the path of the vmlinux.
 */
V_MUST_CHECK int kernel_add(struct stage *st, int fd, const char *name,
			    const struct kernel_origin *origin, struct verr *e);

#endif
