/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is the index's file as LMDB makes it? What it asserts, or goes by without a look: that pages
 * are of one use, that the lists of unused ones name just those, that nodes fill their pages.
 */
#include <stdlib.h>

#include "base/own.h"
#include "stellarium/store/index_pages.h"

#define OVERFLOW_FLAG 4
#define OVERFLOW_HEAD 16

struct check {
	const struct index_pages *p;
	uint8_t *used;  /* a bit a page */
	uint32_t value; /* bytes of every value of the table that is walked */
	const uint8_t *list;
};

static bool use_page(void *ctx, uint64_t number)
{
	struct check *c = ctx;
	uint8_t bit = (uint8_t)(1U << number % 8);

	if (number < 2 || number >= c->p->taken || (c->used[number / 8] & bit) != 0)
		return false;
	c->used[number / 8] |= bit;
	return true;
}

static bool check_value(void *ctx, const struct index_pages_entry *entry)
{
	const struct check *c = ctx;

	return !entry->apart && !entry->table && entry->len == c->value;
}

static bool check_table(void *ctx, const struct index_pages_entry *entry)
{
	(void)ctx;
	return entry->table && !entry->apart;
}

/* A list that does not fit in a page has pages of its own: the first says how many. */
static bool find_list(struct check *c, const struct index_pages_entry *entry, uint64_t *first,
		      uint32_t *count)
{
	const uint8_t *page;

	*count = 0;
	c->list = entry->value.at;
	if (!entry->apart)
		return true;
	*first = le64(entry->value.at);
	if (*first < 2 || *first >= c->p->count)
		return false;
	page = c->p->map + *first * INDEX_PAGE;
	c->list = page + OVERFLOW_HEAD;
	*count = le32(page + 12);
	return le64(page) == *first && le16(page + 10) == OVERFLOW_FLAG &&
	       range_within(*first, *count, c->p->count) &&
	       (uint64_t)*count * INDEX_PAGE >= (uint64_t)OVERFLOW_HEAD + entry->len;
}

static bool use_list(void *ctx, const struct index_pages_entry *entry)
{
	struct check *c = ctx;
	uint64_t first = 0;
	uint32_t count;

	if (entry->table || entry->len < 8 || entry->len % 8 != 0 ||
	    le64(entry->key.at) > c->p->change || !find_list(c, entry, &first, &count))
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (!use_page(c, first + i))
			return false;
	return true;
}

/* Its pages, descending. */
static bool check_list(void *ctx, const struct index_pages_entry *entry)
{
	struct check *c = ctx;
	uint64_t count, first, before = UINT64_MAX;
	uint32_t pages;

	if (!find_list(c, entry, &first, &pages))
		return false;
	count = le64(c->list);
	if (count > entry->len / 8 - 1)
		return false;
	for (uint64_t i = 1; i <= count; i++) {
		uint64_t number = le64(c->list + 8 * i);

		if (number >= before || !use_page(c, number))
			return false;
		before = number;
	}
	return true;
}

enum index_pages_result index_pages_check(const struct index_pages *p, uint32_t value,
					  bool *no_memory)
{
	auto_free uint8_t *used = calloc(1, p->taken / 8 + 1);
	struct check c = {.p = p, .used = used, .value = value};
	struct index_pages_visitor v = {.page = use_page, .entry = check_value, .ctx = &c};

	*no_memory = used == NULL;
	if (used == NULL || index_pages_walk(p, &p->chunks, &v) != INDEX_PAGES_OK)
		return INDEX_PAGES_DAMAGED;
	c.value = 0;
	if (index_pages_walk(p, &p->leaving, &v) != INDEX_PAGES_OK)
		return INDEX_PAGES_DAMAGED;
	v.entry = check_table;
	if (index_pages_walk(p, &p->names, &v) != INDEX_PAGES_OK)
		return INDEX_PAGES_DAMAGED;
	v.entry = use_list;
	if (index_pages_walk(p, &p->unused, &v) != INDEX_PAGES_OK)
		return INDEX_PAGES_DAMAGED;
	v = (struct index_pages_visitor){.entry = check_list, .ctx = &c};
	return index_pages_walk(p, &p->unused, &v);
}
