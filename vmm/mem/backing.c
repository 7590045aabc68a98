/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/mem/backing.h"

#include <sys/mman.h>

#include "base/log.h"

#define GUARD MEM_HUGE_PAGE

/*
 * Reserve inaccessible address space for the memory, aligned to a huge page so that the host can
 * back both sides of the guest's 2 MiB pages with one of its own, and a guard on either end.
 */
static int reserve(uint64_t size, struct mem_mapping *map, struct verr *e)
{
	uintptr_t start;
	void *at;

	map->size = size;
	map->reserved_len = size + 2 * GUARD + MEM_HUGE_PAGE;
	at = mmap(NULL, map->reserved_len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		  -1, 0);
	if (at == MAP_FAILED)
		return verr_os(e, "reserve %llu MiB of address space for guest memory",
			       (unsigned long long)(size >> 20));
	map->reserved = at;
	start = ((uintptr_t)at + GUARD + MEM_HUGE_PAGE - 1) & ~(MEM_HUGE_PAGE - 1);
	map->start = map->reserved + (start - (uintptr_t)at);
	return 0;
}

static void *map_at(const struct mem_mapping *map, int flags)
{
	return mmap(map->start, map->size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | flags, -1, 0);
}

/* hugetlb pages are reserved as a whole here, so a guest can never fail to get one later. */
static bool try_hugetlb(struct mem_mapping *map)
{
	if (map->size % MEM_HUGE_PAGE != 0)
		return false;
	if (map_at(map, MAP_HUGETLB | (21 << MAP_HUGE_SHIFT)) == MAP_FAILED)
		return false;
	map->backing = MEM_BACKING_HUGETLB;
	return true;
}

static bool try_thp(struct mem_mapping *map)
{
	if (madvise(map->start, map->size, MADV_HUGEPAGE) < 0)
		return false;
	map->backing = MEM_BACKING_THP;
	return true;
}

static int map_small(struct mem_mapping *map, struct verr *e)
{
	if (map_at(map, MAP_NORESERVE) == MAP_FAILED)
		return verr_os(e,
			       "guest memory of %llu MiB: the host refuses (vm.overcommit_memory=2 "
			       "or a limit); ask for less with --memory",
			       (unsigned long long)(map->size >> 20));
	map->backing = MEM_BACKING_4K;
	return 0;
}

static int prefault(const struct mem_mapping *map, struct verr *e)
{
	volatile uint8_t *at = map->start;

	if (madvise(map->start, map->size, MADV_POPULATE_WRITE) == 0)
		return 0;
	if (errno != EINVAL)
		return verr_os(e, "prefault %llu MiB of guest memory",
			       (unsigned long long)(map->size >> 20));
	for (uint64_t off = 0; off < map->size; off += MEM_PAGE) /* before Linux 5.14 */
		at[off] = 0;
	return 0;
}

/* Reserved pages are nobody's file: they are filled. */
static int fill(const struct mem_layers *layers, const struct mem_mapping *map, struct verr *e)
{
	if (layers->count == 0)
		return 0;
	log_info(LOG_MEM, "guest memory is in 2 MiB pages, so the snapshot's is copied");
	return layers_read(layers, map, e);
}

static int map_pages(const struct mem_options *o, const struct mem_layers *layers,
		     struct mem_mapping *map, struct verr *e)
{
	bool thp = o->huge == MEM_HUGE_THP || o->huge == MEM_HUGE_AUTO;

	if (map_small(map, e) < 0)
		return -1;
	if (layers->count > 0) {
		map->layered = true;
		return layers_map(layers, map, e);
	}
	if (o->huge == MEM_HUGE_OFF) /* some hosts give them to all who do not object */
		(void)madvise(map->start, map->size, MADV_NOHUGEPAGE);
	if (thp && !try_thp(map) && o->huge == MEM_HUGE_THP)
		log_warn(LOG_MEM, "this kernel has no transparent huge pages: using 4 KiB "
				  "pages");
	return 0;
}

int mem_map(const struct mem_options *o, const struct mem_layers *layers, struct mem_mapping *map,
	    struct verr *e)
{
	bool hugetlb = o->huge == MEM_HUGE_2M || o->huge == MEM_HUGE_AUTO;

	if (reserve(o->size, map, e) < 0)
		return -1;
	if (hugetlb && try_hugetlb(map)) {
		if (fill(layers, map, e) < 0)
			return -1;
	} else {
		if (o->huge == MEM_HUGE_2M)
			log_warn(
				LOG_MEM,
				"no %llu free 2 MiB pages (/proc/sys/vm/nr_hugepages): using 4 KiB "
				"pages",
				(unsigned long long)(o->size / MEM_HUGE_PAGE));
		if (map_pages(o, layers, map, e) < 0)
			return -1;
	}
	(void)madvise(map->start, map->size, MADV_DONTDUMP);
	return o->prefault ? prefault(map, e) : 0;
}

void mem_unmap(struct mem_mapping *map)
{
	if (map->reserved != NULL)
		(void)munmap(map->reserved, map->reserved_len);
	map->reserved = NULL;
}
