/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that begins as the pages of files: a snapshot's, and the differences on top of it. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/checked.h"
#include "base/own.h"
#include "base/sys.h"
#include "vmm/mem/backing.h"

static int check_runs(const struct mem_layer *from, uint64_t size, struct verr *e)
{
	uint64_t end = 0;

	for (size_t i = 0; i < from->count; i++) {
		const struct mem_run *r = &from->runs[i];

		if (r->len == 0 || r->offset % MEM_PAGE != 0 || r->len % MEM_PAGE != 0 ||
		    r->offset < end || !range_within(r->offset, r->len, size))
			return verr_corrupt(e,
					    "run %zu of the memory's pages, %#llx+%#llx, is "
					    "not one",
					    i, (unsigned long long)r->offset,
					    (unsigned long long)r->len);
		end = r->offset + r->len;
	}
	return 0;
}

/* A page behind the end of its file would be a signal when it is touched. */
static int check_size(int fd, uint64_t size, struct verr *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return verr_os(e, "stat the memory's file");
	if (st.st_size != (off_t)size)
		return verr_corrupt(e, "the memory's file has %lld bytes and not %llu",
				    (long long)st.st_size, (unsigned long long)size);
	return 0;
}

static int open_one(struct layer *l, const struct mem_layer *from, uint64_t size, struct verr *e)
{
	l->fd = -1;
	if (check_runs(from, size, e) < 0 || check_size(from->fd, size, e) < 0)
		return -1;
	if (from->runs != NULL) {
		l->count = from->count;
		l->runs = malloc(MAX(from->count, 1) * sizeof(*l->runs));
		if (l->runs == NULL)
			return verr_host(e, "out of memory");
		memcpy(l->runs, from->runs, from->count * sizeof(*l->runs));
	}
	l->fd = fcntl(from->fd, F_DUPFD_CLOEXEC, 3);
	return l->fd < 0 ? verr_os(e, "duplicate a descriptor") : 0;
}

int layers_open(struct mem_layers *l, const struct mem_options *o, struct verr *e)
{
	size_t runs = 0;

	if (o->nlayers > MEM_LAYERS_MAX)
		return verr_invalid(e,
				    "%zu snapshots, each the base of the next; at most %d: "
				    "volt snapshot merge makes one of them",
				    o->nlayers, MEM_LAYERS_MAX);
	for (size_t i = 0; i < o->nlayers; i++)
		runs += o->layers[i].count;
	if (runs > MEM_RUNS_MAX)
		return verr_invalid(e,
				    "the differences are in %zu runs of pages, at most %d: "
				    "volt snapshot merge makes one snapshot of them",
				    runs, MEM_RUNS_MAX);
	for (size_t i = 0; i < o->nlayers; i++) {
		l->count++;
		if (open_one(&l->layer[i], &o->layers[i], o->size, e) < 0)
			return -1;
	}
	return 0;
}

void layers_close(struct mem_layers *l)
{
	for (size_t i = 0; i < l->count; i++) {
		fd_close(&l->layer[i].fd);
		free(l->layer[i].runs);
	}
	l->count = 0;
}

static int map_run(const struct layer *l, const struct mem_run *r, const struct mem_mapping *map,
		   struct verr *e)
{
	if (mmap(map->start + r->offset, r->len, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, l->fd, (off_t)r->offset) == MAP_FAILED)
		return verr_os(e, "map %llu KiB of a snapshot's memory",
			       (unsigned long long)(r->len >> 10));
	return 0;
}

int layers_map(const struct mem_layers *l, const struct mem_mapping *map, struct verr *e)
{
	const struct mem_run all = {.len = map->size};

	for (size_t i = 0; i < l->count; i++) {
		const struct layer *one = &l->layer[i];
		size_t count = one->runs != NULL ? one->count : 1;

		for (size_t k = 0; k < count; k++)
			if (map_run(one, one->runs != NULL ? &one->runs[k] : &all, map, e) < 0)
				return -1;
	}
	return 0;
}

/* The first run of a layer that ends behind `offset`; NULL: none. */
static const struct mem_run *find_run(const struct layer *l, uint64_t offset)
{
	size_t low = 0, high = l->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (l->runs[middle].offset + l->runs[middle].len > offset)
			high = middle;
		else
			low = middle + 1;
	}
	return low < l->count ? &l->runs[low] : NULL;
}

/* Whose page is at `offset`; the answer holds until `*until`. */
static const struct layer *owner_of(const struct mem_layers *l, uint64_t offset, uint64_t *until)
{
	for (size_t i = l->count; i-- > 0;) {
		const struct layer *one = &l->layer[i];
		const struct mem_run *r;

		if (one->runs == NULL)
			return one;
		r = find_run(one, offset);
		if (r != NULL && r->offset <= offset) {
			*until = MIN(*until, r->offset + r->len);
			return one;
		}
		if (r != NULL)
			*until = MIN(*until, r->offset);
	}
	return NULL;
}

bool layers_have_data(const struct mem_layers *l, uint64_t size, uint64_t offset, uint64_t *until)
{
	const struct layer *owner;
	off_t at;

	*until = size;
	owner = owner_of(l, offset, until);
	if (owner == NULL)
		return false;
	at = lseek(owner->fd, (off_t)offset, SEEK_DATA);
	if (at < 0) /* nothing up to the end; or a file system that cannot tell */
		return errno != ENXIO;
	if ((uint64_t)at / MEM_PAGE > offset / MEM_PAGE) {
		*until = MIN(*until, (uint64_t)at & ~(MEM_PAGE - 1));
		return false;
	}
	at = lseek(owner->fd, (off_t)offset, SEEK_HOLE);
	if (at > 0)
		*until = MIN(*until, ((uint64_t)at + MEM_PAGE - 1) & ~(MEM_PAGE - 1));
	return true;
}

int layers_read(const struct mem_layers *l, const struct mem_mapping *map, struct verr *e)
{
	uint64_t until;

	for (uint64_t at = 0; at < map->size; at = until) {
		if (!layers_have_data(l, map->size, at, &until))
			continue;
		if (sys_pread_full(owner_of(l, at, &until)->fd, map->start + at, until - at, at,
				   e) < 0)
			return -1;
	}
	return 0;
}
