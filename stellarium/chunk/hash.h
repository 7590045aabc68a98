/* SPDX-License-Identifier: Apache-2.0 */
/* What chunks are known by: BLAKE3-256 of their content. */
#ifndef STELLARIUM_CHUNK_HASH_H
#define STELLARIUM_CHUNK_HASH_H

#include <string.h>

#include "stellarium/include/stellarium.h"

struct stel_id chunk_hash(const void *bytes, size_t len);

static inline bool chunk_same(const struct stel_id *a, const struct stel_id *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* A checksum for what is not content: headers, tables, stored bytes (XXH3, 64 bits). */
uint64_t chunk_checksum(const void *bytes, size_t len);

#endif
