/* SPDX-License-Identifier: Apache-2.0 */
/* Compressing single chunks. One context belongs to one thread. */
#ifndef STELLARIUM_CHUNK_CODEC_H
#define STELLARIUM_CHUNK_CODEC_H

#include "base/bytes.h"
#include "stellarium/include/stellarium.h"

struct chunk_codec; /* what a thread needs to compress */

V_MUST_CHECK int chunk_codec_new(struct chunk_codec **out, struct verr *e);
struct chunk_codec *chunk_codec_free(struct chunk_codec *c); /* takes NULL; returns NULL */

/*
 * Compress into `out`, which has room for raw.len bytes. Returns the length; 0 says that it did
 * not become smaller, or could not be compressed, and is to be stored as it is.
 */
size_t chunk_compress(struct chunk_codec *c, enum stel_codec codec, int level, struct bytes raw,
		      uint8_t *out);

#endif
