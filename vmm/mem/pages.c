/* SPDX-License-Identifier: Apache-2.0 */
/* All of memory by its place, and which of it may be anything but zeros. */
#include <unistd.h>

#include "base/checked.h"
#include "base/compiler.h"
#include "vmm/mem/backing.h"

/* /proc/self/pagemap: one of these a page (the kernel's Documentation/admin-guide/mm/pagemap.rst)
 */
#define PRESENT (1ULL << 63)
#define SWAPPED (1ULL << 62)

/* Entries that are looked at in one go. */
#define LOOK 512

const void *mem_at(const struct mem *m, uint64_t offset, uint64_t len)
{
	return range_within(offset, len, m->map.size) ? m->map.start + offset : NULL;
}

/* Do pages from `at` on have something of their own? The answer holds until `*until`. */
static bool has_own(const struct mem *m, uint64_t at, uint64_t *until)
{
	uint64_t entries[LOOK], first = ((uintptr_t)m->map.start + at) / MEM_PAGE;
	uint64_t want = MIN((m->map.size - at) / MEM_PAGE, LOOK);
	ssize_t n = pread(m->pagemap, entries, want * sizeof(entries[0]),
			  (off_t)(first * sizeof(entries[0])));
	size_t count = n > 0 ? (size_t)n / sizeof(entries[0]) : 0, i;
	bool own;

	if (count == 0) { /* nothing is known */
		*until = m->map.size;
		return true;
	}
	own = (entries[0] & (PRESENT | SWAPPED)) != 0;
	for (i = 1; i < count && ((entries[i] & (PRESENT | SWAPPED)) != 0) == own; i++)
		;
	*until = at + i * MEM_PAGE;
	return own;
}

/* May pages from `at` on be anything but zeros? */
static bool may_have_data(const struct mem *m, uint64_t at, uint64_t *until)
{
	uint64_t limit;
	bool data;

	if (has_own(m, at, until))
		return true;
	if (!m->map.layered)
		return false;
	data = layers_have_data(&m->layers, m->map.size, at, &limit);
	*until = MIN(*until, limit);
	return data;
}

bool mem_next_data(const struct mem *m, uint64_t from, struct mem_run *out)
{
	uint64_t until = from;

	*out = (struct mem_run){.offset = from};
	while (out->offset < m->map.size && !may_have_data(m, out->offset, &until))
		out->offset = until;
	if (out->offset >= m->map.size)
		return false;
	/* No longer than what was looked at: the caller works on it meanwhile. */
	out->len = until - out->offset;
	return true;
}
