/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel file of the user's, read and unpacked. */
#ifndef VOLT_VOLT_KERNEL_FILE_H
#define VOLT_VOLT_KERNEL_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/verr.h"
#include "volt/image.h"

struct kernel_file {
	uint8_t *vmlinux;
	size_t len;
	const char *packed; /* how it was, as "xz"; static storage */
	char release[IMAGE_RELEASE];
};

/*
 * Read a bzImage, or a vmlinux as it is. What is unpacked is not known to be a kernel yet: see
 * vmlinux_inspect(). Says on a terminal what takes a while.
 */
V_MUST_CHECK int kernel_file_read(const char *path, struct kernel_file *out, struct verr *e);
void kernel_file_deinit(struct kernel_file *k);

#endif
