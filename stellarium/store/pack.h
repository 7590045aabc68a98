/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The format of pack files, which chunks are in. Little-endian; what is not named is zero.
 *
 *	pack     := page(seal "STELPACK": u64 id) segment*
 *	segment  := page(head entry*) stored* , ending on a page
 *	head     := "STELSEG1"  u32 entries  u32 data_at  u64 length  u64 XXH3 of the entries
 *	            24 bytes  u64 XXH3 of the head before it            (64 bytes)
 *	entry    := id[32]  u64 XXH3 of stored  u32 raw  u32 stored  u32 at  u8 codec  u8 kind
 *	            10 bytes                                            (64 bytes)
 *
 * page() is padded to 4096 bytes; `at` and `data_at` count from the segment's start. Entries are in
 * the order of `at`. A segment is written once, and a pack by one process: what follows the last
 * whole segment is what that process did not finish. The index can be rebuilt from packs alone.
 */
#ifndef STELLARIUM_STORE_PACK_H
#define STELLARIUM_STORE_PACK_H

#include "base/bytes.h"
#include "stellarium/include/stellarium.h"
#include "stellarium/store/seal.h"

#define PACK_PAGE 4096
#define PACK_HEAD 64
#define PACK_ENTRY 64
#define PACK_ENTRIES_MAX 1024
#define PACK_TABLE_MAX (PACK_HEAD + PACK_ENTRIES_MAX * PACK_ENTRY)
#define PACK_SEGMENT_MAX MIB(32)

enum pack_kind {
	PACK_DATA = 1, /* part of an image */
	PACK_NODE = 2, /* of an image's tree */
};

struct pack_entry {
	struct stel_id id;
	uint64_t checksum;
	uint32_t raw, stored, at;
	enum stel_codec codec;
	enum pack_kind kind;
};

struct pack_segment {
	uint32_t count, data_at;
	uint64_t len;
	uint64_t checksum; /* of the table */
};

/* The page that a pack begins with. */
void pack_put_head(uint8_t out[PACK_PAGE], const struct seal_store *store, uint64_t id);
V_MUST_CHECK int pack_get_head(struct bytes page, const struct seal_store *store, uint64_t id,
			       struct verr *e);

/* A segment's head; false: there is none. */
void pack_put_segment(uint8_t out[PACK_HEAD], const struct pack_segment *s);
V_MUST_CHECK bool pack_get_segment(struct bytes head, struct pack_segment *out);

/* Entries; a whole table is good when its checksum and each entry are, in order. */
void pack_put_entry(uint8_t out[PACK_ENTRY], const struct pack_entry *entry);
V_MUST_CHECK bool pack_get_entries(struct bytes table, const struct pack_segment *s,
				   struct pack_entry *out);

/* "0123456789abcdef.pack" */
#define PACK_NAME 24
void pack_name(uint64_t id, char out[PACK_NAME]);
V_MUST_CHECK bool pack_parse_name(const char *name, uint64_t *id);

#endif
