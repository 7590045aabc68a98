/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/snapshot/hash.h"

#include <blake3.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/copy.h"
#include "base/own.h"
#include "base/sys.h"

#define BLOCK KIB(256)

static void put_u64(blake3_hasher *hasher, uint64_t value)
{
	uint8_t bytes[8];

	put_le64(bytes, value);
	blake3_hasher_update(hasher, bytes, sizeof(bytes));
}

static void put_block(blake3_hasher *hasher, uint64_t index, const void *block, size_t len)
{
	uint8_t digest[BLAKE3_OUT_LEN];
	blake3_hasher one;

	blake3_hasher_init(&one);
	blake3_hasher_update(&one, block, len);
	blake3_hasher_finalize(&one, digest, sizeof(digest));
	put_u64(hasher, index);
	blake3_hasher_update(hasher, digest, sizeof(digest));
}

/* The block in which the next data is; `size`: there is none. Devices have no holes. */
static uint64_t next_block(int fd, uint64_t at, uint64_t size)
{
	off_t data = lseek(fd, (off_t)at, SEEK_DATA);

	if (data < 0)
		return errno == ENXIO ? size : at;
	return MAX(at, (uint64_t)data - (uint64_t)data % BLOCK);
}

int snapshot_hash(int fd, uint64_t size, const atomic_bool *end, uint8_t out[static SNAPSHOT_HASH],
		  struct verr *e)
{
	auto_free uint64_t *block = malloc(BLOCK);
	blake3_hasher hasher;

	if (block == NULL)
		return verr_host(e, "out of memory");
	blake3_hasher_init(&hasher);
	put_u64(&hasher, size);
	for (uint64_t at = next_block(fd, 0, size); at < size;
	     at = next_block(fd, at + BLOCK, size)) {
		uint64_t len = MIN(BLOCK, size - at);

		if (end != NULL && atomic_load(end))
			return verr_state(e, "interrupted");
		memset(block, 0, BLOCK);
		if (sys_pread_full(fd, block, len, at, e) < 0)
			return -1;
		if (!copy_is_zero(block, BLOCK))
			put_block(&hasher, at / BLOCK, block, len);
	}
	blake3_hasher_finalize(&hasher, out, SNAPSHOT_HASH);
	return 0;
}
