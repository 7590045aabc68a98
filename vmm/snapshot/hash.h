/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a snapshot's files are known by: their content, whatever of it is holes.
 *
 *	hash := BLAKE3(u64 size, (u64 block, BLAKE3 of the block)*)    of blocks of 256 KiB that are
 *	                                                               not all zero, in order
 */
#ifndef VOLT_VMM_SNAPSHOT_HASH_H
#define VOLT_VMM_SNAPSHOT_HASH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/verr.h"

#define SNAPSHOT_HASH 32

/* The first `size` bytes of a file. It ends early when `*end` becomes true (NULL: it does not). */
V_MUST_CHECK int snapshot_hash(int fd, uint64_t size, const atomic_bool *end,
			       uint8_t out[static SNAPSHOT_HASH], struct verr *e);

#endif
