/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How every file of a store begins: what it is, of which store, and a checksum.
 *
 *   0  magic, 8 bytes      8  version, u32      12  length of what follows, u32
 *  16  the store, 16 bytes                      32  XXH3 of bytes 0 to 31 and what follows, u64
 */
#ifndef STELLARIUM_STORE_SEAL_H
#define STELLARIUM_STORE_SEAL_H

#include "base/bytes.h"
#include "base/verr.h"

#define SEAL_HEAD 40
#define SEAL_MAX 512 /* head and body */
#define SEAL_VERSION 1

struct seal_store {
	uint8_t bytes[16]; /* random: whose file it is */
};

/* Write head and body to `out`, which has room for SEAL_HEAD + body.len. */
void seal_put(uint8_t *out, const char magic[8], const struct seal_store *store, struct bytes body);

/* Check a file's beginning; `store` may be NULL when any will do. `*body` points into `file`. */
V_MUST_CHECK int seal_get(struct bytes file, const char magic[8], const struct seal_store *store,
			  struct bytes *body, struct verr *e);

/* The store that a checked beginning names. */
struct seal_store seal_whose(struct bytes file);

#endif
