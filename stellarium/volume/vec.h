/* SPDX-License-Identifier: Apache-2.0 */
/* What is left of a list of buffers: they are filled, or emptied, from the front. */
#ifndef STELLARIUM_VOLUME_VEC_H
#define STELLARIUM_VOLUME_VEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/compiler.h"

struct vec {
	const struct iovec *iov; /* borrowed */
	size_t count;
	size_t used; /* of the first */
};

/* There is room for `len` bytes. */
void vec_put(struct vec *v, const uint8_t *from, size_t len);
void vec_put_zeros(struct vec *v, size_t len);
void vec_take(struct vec *v, uint8_t *to, size_t len);

/* Between the buffers and a file: 0 or an errno, which is EIO where the file ends early. `flags`
 * are preadv2()'s; with RWF_NOWAIT, EAGAIN may come after a part was done. */
V_MUST_CHECK int vec_read(struct vec *v, int fd, uint64_t offset, size_t len, int flags);
V_MUST_CHECK int vec_write(struct vec *v, int fd, uint64_t offset, size_t len);

/* One buffer. The calls are the same: what runs in a sandbox has one list of them. */
V_MUST_CHECK int vec_read_one(int fd, void *out, size_t len, uint64_t offset);
V_MUST_CHECK int vec_write_one(int fd, const void *bytes, size_t len, uint64_t offset);

#endif
