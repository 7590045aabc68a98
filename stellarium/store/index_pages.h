/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the index's file, which is LMDB's (its format 1, little-endian, pages of 4096 bytes),
 * without LMDB. That takes what is in the file for granted, and has no checksums: one bit that
 * flipped, and it reads or writes anywhere, or aborts. Here every page, node and length is looked
 * at before it is relied on, and no more pages are visited than there are. So:
 *
 * who reads    takes a reader's place by LMDB, which keeps the pages of that moment from being used
 *              again, and finds them here
 * who writes   has LMDB do it, after index_pages_check() found that all is as LMDB makes it
 */
#ifndef STELLARIUM_STORE_INDEX_PAGES_H
#define STELLARIUM_STORE_INDEX_PAGES_H

#include "base/bytes.h"

#define INDEX_PAGE 4096
#define INDEX_PAGES_MAX (1U << 26)

/* A tree in the file, as of one moment. */
struct index_tree {
	uint64_t root, entries;
	unsigned int depth; /* 0: it is empty */
	bool numbers;       /* keys are numbers of 8 bytes; else bytes in their order */
	uint32_t key;       /* bytes of every key; 0: any number */
};

struct index_pages {
	const uint8_t *map; /* of the file, read-only; borrowed */
	uint64_t count;     /* pages that are there, as of that moment */
	uint64_t taken;     /* the same, and those that were of use only before they were written */
	uint64_t change;    /* number of the change that made it */
	struct index_tree unused, names, chunks, leaving;
};

/*
 * The file begins with two pages that say what there is, and each change writes one of them, in
 * turn: in the other may be what a change that failed left there. Which one counts? NULL: they are
 * none.
 */
const uint8_t *index_pages_pick(const uint8_t heads[2 * INDEX_PAGE]);

/* Read it, of a file of `size` bytes. false: that cannot be, as far as this page tells. */
V_MUST_CHECK bool index_pages_head(struct index_pages *p, const uint8_t *page, uint64_t size);

/* Then find the tables `chunks` and `leaving`, whose keys have `key` bytes and are numbers. */
enum index_pages_result { INDEX_PAGES_OK, INDEX_PAGES_ABSENT, INDEX_PAGES_DAMAGED };
enum index_pages_result index_pages_tables(struct index_pages *p, uint32_t key);

/* `*value` lies in the file. */
enum index_pages_result index_pages_find(const struct index_pages *p, const struct index_tree *t,
					 struct bytes key, struct bytes *value);

/* Visit all pages and entries, in order, and see that they are. A visitor returns false to end it.
 */
struct index_pages_entry {
	struct bytes key, value; /* where `apart`, the value is a page's number and `len` */
	bool apart, table;
	uint32_t len;
};
struct index_pages_visitor {
	bool (*page)(void *ctx, uint64_t number); /* or NULL */
	bool (*entry)(void *ctx, const struct index_pages_entry *entry);
	void *ctx;
};
enum index_pages_result index_pages_walk(const struct index_pages *p, const struct index_tree *t,
					 const struct index_pages_visitor *visitor);

/* Is everything as LMDB makes it, with values of `value` bytes for all chunks? OK or DAMAGED. */
enum index_pages_result index_pages_check(const struct index_pages *p, uint32_t value,
					  bool *no_memory);

#endif
