/* SPDX-License-Identifier: Apache-2.0 */
#include "stellarium/chunk/hash.h"

#include <blake3.h>
#include <xxhash.h>

struct stel_id chunk_hash(const void *bytes, size_t len)
{
	blake3_hasher hasher;
	struct stel_id id;

	blake3_hasher_init(&hasher);
	blake3_hasher_update(&hasher, bytes, len);
	blake3_hasher_finalize(&hasher, id.bytes, sizeof(id.bytes));
	return id;
}

uint64_t chunk_checksum(const void *bytes, size_t len)
{
	return XXH3_64bits(bytes, len);
}

void stel_id_text(const struct stel_id *id, char out[STEL_ID_TEXT])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < sizeof(id->bytes); i++) {
		out[2 * i] = digits[id->bytes[i] >> 4];
		out[2 * i + 1] = digits[id->bytes[i] & 15];
	}
	out[2 * sizeof(id->bytes)] = '\0';
}
