/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of files: by sharing their blocks where the file system can, and without holes' zeros. */
#ifndef VOLT_BASE_COPY_H
#define VOLT_BASE_COPY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/verr.h"

/* Once `*end` is true, unless `end` is NULL, the copy is given up, with a fault. */

/* The first `size` bytes of `from`, a regular file or a block device, into `to`, an empty file. */
V_MUST_CHECK int copy_file(int from, int to, uint64_t size, const atomic_bool *end, struct verr *e);

/* A range of a regular file to the same place of another, zeros and all. */
V_MUST_CHECK int copy_range(int from, int to, uint64_t offset, uint64_t len, const atomic_bool *end,
			    struct verr *e);

/* Write exactly `len` bytes at `offset`. */
V_MUST_CHECK int copy_put(int fd, const void *bytes, uint64_t len, uint64_t offset, struct verr *e);

/* Are they all zero? `len` is a multiple of 8, and so is the address. */
bool copy_is_zero(const void *bytes, uint64_t len);

#endif
