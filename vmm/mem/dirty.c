/* SPDX-License-Identifier: Apache-2.0 */
/* Which pages the host has written: two bits a page, set by any thread after it has written. */
#include <stdatomic.h>
#include <stdlib.h>

#include "vmm/mem/backing.h"

struct mem_dirty {
	atomic_bool on;
	uint64_t pages;
	size_t words;
	_Atomic uint64_t *wrote, *handed;
};

static void clear(_Atomic uint64_t *bits, size_t words)
{
	for (size_t i = 0; i < words; i++)
		atomic_store_explicit(&bits[i], 0, memory_order_relaxed);
}

static struct mem_dirty *dirty_new(uint64_t pages)
{
	struct mem_dirty *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->pages = pages;
	d->words = (size_t)((pages + 63) / 64);
	d->wrote = calloc(d->words, sizeof(*d->wrote));
	d->handed = calloc(d->words, sizeof(*d->handed));
	if (d->wrote != NULL && d->handed != NULL)
		return d;
	dirty_free(d);
	return NULL;
}

int dirty_set(struct mem_dirty **d, uint64_t pages, bool on, struct verr *e)
{
	if (on && *d == NULL && (*d = dirty_new(pages)) == NULL)
		return verr_host(e, "out of memory");
	if (*d == NULL)
		return 0;
	clear((*d)->wrote, (*d)->words);
	clear((*d)->handed, (*d)->words);
	atomic_store(&(*d)->on, on);
	return 0;
}

void dirty_free(struct mem_dirty *d)
{
	if (d == NULL)
		return;
	free(d->wrote);
	free(d->handed);
	free(d);
}

bool dirty_on(const struct mem_dirty *d)
{
	return d != NULL && atomic_load_explicit(&d->on, memory_order_relaxed);
}

/* The pages of a buffer, most of which have one or two. */
static void set(const struct mem_dirty *d, _Atomic uint64_t *bits, uint64_t offset, uint64_t len)
{
	uint64_t first = offset / MEM_PAGE, last = (offset + len - 1) / MEM_PAGE;

	if (len == 0)
		return;
	for (uint64_t page = first; page <= last && page < d->pages; page++) {
		uint64_t bit = 1ULL << page % 64;

		/* Looked at first: rings are written again and again. */
		if ((atomic_load_explicit(&bits[page / 64], memory_order_relaxed) & bit) == 0)
			atomic_fetch_or(&bits[page / 64], bit);
	}
}

void dirty_wrote(struct mem_dirty *d, uint64_t offset, uint64_t len)
{
	/* What was written comes before the look at the bit, or a bit that is just being taken
	 * would not be set again. */
	atomic_thread_fence(memory_order_seq_cst);
	set(d, d->wrote, offset, len);
}

void dirty_handed(struct mem_dirty *d, uint64_t offset, uint64_t len)
{
	set(d, d->handed, offset, len);
}

void dirty_collect(struct mem_dirty *d, bool still, uint64_t *bits)
{
	for (size_t i = 0; i < d->words; i++) {
		if (atomic_load_explicit(&d->wrote[i], memory_order_relaxed) != 0)
			bits[i] |= atomic_exchange(&d->wrote[i], 0);
		if (still && atomic_load_explicit(&d->handed[i], memory_order_relaxed) != 0)
			bits[i] |= atomic_exchange(&d->handed[i], 0);
	}
}

void dirty_note(struct mem_dirty *d, const uint64_t *bits)
{
	for (size_t i = 0; i < d->words; i++)
		if (bits[i] != 0)
			atomic_fetch_or(&d->wrote[i], bits[i]);
}
