/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/snapshot/memory.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/copy.h"
#include "base/own.h"

/* --- sets of pages --- */

static bool has(const uint64_t *bits, uint64_t page)
{
	return bits[page / 64] >> page % 64 & 1;
}

static void add(uint64_t *bits, uint64_t first, uint64_t end)
{
	for (uint64_t page = first; page < end; page++)
		bits[page / 64] |= 1ULL << page % 64;
}

uint64_t pages_count(const uint64_t *bits, size_t words)
{
	uint64_t count = 0;

	for (size_t i = 0; i < words; i++)
		count += (uint64_t)__builtin_popcountll(bits[i]);
	return count;
}

/* The first page from `page` on that is in the set, or, with `in` false, is not. */
static uint64_t find(const uint64_t *bits, uint64_t pages, uint64_t page, bool in)
{
	const uint64_t none = in ? 0 : UINT64_MAX;

	while (page < pages && has(bits, page) != in)
		page += page % 64 == 0 && bits[page / 64] == none ? 64 : 1;
	return MIN(page, pages);
}

bool pages_next(const uint64_t *bits, uint64_t pages, uint64_t from, struct mem_run *out)
{
	uint64_t first = find(bits, pages, from, true), end;

	if (first >= pages)
		return false;
	end = find(bits, pages, first, false);
	*out = (struct mem_run){.offset = first * MEM_PAGE, .len = (end - first) * MEM_PAGE};
	return true;
}

/* Close all gaps of at most `gap` pages; returns how many runs are left. */
static size_t join_gaps(uint64_t *bits, uint64_t pages, uint64_t gap)
{
	struct mem_run run;
	uint64_t end = 0;
	size_t count = 0;

	for (uint64_t at = 0; pages_next(bits, pages, at, &run); at = end) {
		uint64_t first = run.offset / MEM_PAGE;

		if (count > 0 && first - end <= gap)
			add(bits, end, first);
		else
			count++;
		end = (run.offset + run.len) / MEM_PAGE;
	}
	return count;
}

size_t pages_join(uint64_t *bits, uint64_t pages, size_t most)
{
	size_t count = join_gaps(bits, pages, 0);

	for (uint64_t gap = 1; count > most; gap *= 2)
		count = join_gaps(bits, pages, gap);
	return count;
}

/* --- the file --- */

int memory_begin(struct memory_file *f, const struct mem *mem, int fd, const atomic_bool *end,
		 struct verr *e)
{
	*f = (struct memory_file){.mem = mem, .fd = fd, .end = end};
	f->put = calloc(mem_words(mem), sizeof(*f->put));
	if (f->put == NULL)
		return verr_host(e, "out of memory");
	return ftruncate(fd, (off_t)mem_size(mem)) < 0 ? verr_os(e, "set the size of the memory's "
								    "file")
						       : 0;
}

void memory_end(struct memory_file *f)
{
	fd_close(&f->fd);
	free(f->put);
	f->put = NULL;
}

static bool is_zero(const struct memory_file *f, uint64_t offset)
{
	const void *page = mem_at(f->mem, offset, MEM_PAGE);

	return page == NULL || copy_is_zero(page, MEM_PAGE);
}

/*
 * A page that is zero and was never written stays a hole. If the guest writes it just then, it is
 * noted, and comes again.
 */
static bool is_hole(const struct memory_file *f, uint64_t offset)
{
	return !has(f->put, offset / MEM_PAGE) && is_zero(f, offset);
}

static int put_run(struct memory_file *f, const struct mem_run *run, struct verr *e)
{
	uint64_t at = run->offset, last = run->offset + run->len;

	while (at < last) {
		uint64_t first;
		const void *from;

		if (atomic_load_explicit(f->end, memory_order_relaxed))
			return verr_state(e, "interrupted");
		while (at < last && is_hole(f, at))
			at += MEM_PAGE;
		for (first = at; at < last && at - first < MIB(1) && !is_hole(f, at);)
			at += MEM_PAGE;
		from = mem_at(f->mem, first, at - first);
		if (at == first || from == NULL)
			continue;
		if (copy_put(f->fd, from, at - first, first, e) < 0)
			return verr_note(e, "memory");
		add(f->put, first / MEM_PAGE, at / MEM_PAGE);
		f->bytes += at - first;
	}
	return 0;
}

int memory_put_all(struct memory_file *f, struct verr *e)
{
	struct mem_run run;

	for (uint64_t at = 0; mem_next_data(f->mem, at, &run); at = run.offset + run.len)
		if (put_run(f, &run, e) < 0)
			return -1;
	return 0;
}

int memory_put(struct memory_file *f, const uint64_t *bits, struct verr *e)
{
	const uint64_t pages = mem_size(f->mem) / MEM_PAGE;
	struct mem_run run;

	for (uint64_t at = 0; pages_next(bits, pages, at, &run);
	     at = (run.offset + run.len) / MEM_PAGE)
		if (put_run(f, &run, e) < 0)
			return -1;
	return 0;
}
