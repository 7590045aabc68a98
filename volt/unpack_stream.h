/* SPDX-License-Identifier: Apache-2.0 */
/* Unpacking a whole file that gzip, xz or zstd made, as kernel modules are kept. */
#ifndef VOLT_VOLT_UNPACK_STREAM_H
#define VOLT_VOLT_UNPACK_STREAM_H

#include "base/bytes.h"
#include "base/verr.h"

/*
 * Unpack into a new buffer (`*out`, to be freed) of `*len` bytes, at most `limit`. What does not
 * begin as one of the three is copied as it is.
 */
V_MUST_CHECK int unpack_stream(struct bytes file, uint64_t limit, uint8_t **out, size_t *len,
			       struct verr *e);

#endif
