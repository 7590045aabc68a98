/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/mem/mem.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>

#include "base/checked.h"
#include "base/log.h"
#include "base/own.h"
#include "base/sys.h"
#include "vmm/mem/backing.h"

static void split_regions(struct mem *m)
{
	uint64_t low = MIN(m->map.size, MEM_HOLE_START);

	m->regions[m->nregions++] = (struct mem_region){.gpa = 0, .len = low, .host = m->map.start};
	if (m->map.size > low)
		m->regions[m->nregions++] = (struct mem_region){
			.gpa = MEM_HOLE_END, .len = m->map.size - low, .host = m->map.start + low};
}

/* More memory than the host has is legal, since guests seldom touch all; say so once. */
static void warn_if_overcommitted(uint64_t size)
{
	struct sysinfo host;
	uint64_t total;

	if (sysinfo(&host) < 0)
		return;
	total = (uint64_t)host.totalram * host.mem_unit;
	if (size > total)
		log_warn(LOG_MEM,
			 "guest memory %llu MiB is more than this host's %llu MiB: it is taken "
			 "page by "
			 "page, and the host may kill this VM when it runs out",
			 (unsigned long long)(size >> 20), (unsigned long long)(total >> 20));
}

int mem_new(const struct mem_options *options, struct mem **out, struct verr *e)
{
	struct mem *m;

	if (options->size < MIB(1) || options->size % MEM_PAGE != 0)
		return verr_invalid(e, "guest memory of %llu bytes: at least 1 MiB, whole pages",
				    (unsigned long long)options->size);
	m = calloc(1, sizeof(*m));
	if (m == NULL)
		return verr_host(e, "guest memory: out of memory");
	m->pagemap = -1;
	warn_if_overcommitted(options->size);
	if (layers_open(&m->layers, options, e) < 0 ||
	    mem_map(options, &m->layers, &m->map, e) < 0) {
		(void)mem_free(m);
		return -1;
	}
	if (options->looked_at)
		m->pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	split_regions(m);
	*out = m;
	return 0;
}

struct mem *mem_free(struct mem *m)
{
	if (m != NULL) {
		mem_unmap(&m->map);
		layers_close(&m->layers);
		dirty_free(m->dirty);
		fd_close(&m->pagemap);
		free(m);
	}
	return NULL;
}

uint64_t mem_size(const struct mem *m)
{
	return m->map.size;
}

enum mem_backing mem_backing(const struct mem *m)
{
	return m->map.backing;
}

size_t mem_regions(const struct mem *m, const struct mem_region **out)
{
	*out = m->regions;
	return m->nregions;
}

void *mem_ptr(const struct mem *m, uint64_t gpa, uint64_t len)
{
	for (size_t i = 0; i < m->nregions; i++) {
		const struct mem_region *r = &m->regions[i];

		if (gpa >= r->gpa && range_within(gpa - r->gpa, len, r->len))
			return r->host + (gpa - r->gpa);
	}
	return NULL;
}

static int range_fault(uint64_t gpa, uint64_t len, struct verr *e)
{
	return verr_invalid(e, "guest addresses %#llx+%#llx are not memory",
			    (unsigned long long)gpa, (unsigned long long)len);
}

int mem_read(const struct mem *m, uint64_t gpa, void *out, uint64_t len, struct verr *e)
{
	const void *from = mem_ptr(m, gpa, len);

	if (from == NULL)
		return range_fault(gpa, len, e);
	memcpy(out, from, len);
	return 0;
}

int mem_write(struct mem *m, uint64_t gpa, const void *from, uint64_t len, struct verr *e)
{
	void *to = mem_ptr(m, gpa, len);

	if (to == NULL)
		return range_fault(gpa, len, e);
	memcpy(to, from, len);
	mem_wrote(m, to, len);
	m->bytes_copied += len;
	return 0;
}

int mem_zero(struct mem *m, uint64_t gpa, uint64_t len, struct verr *e)
{
	void *to = mem_ptr(m, gpa, len);

	if (to == NULL)
		return range_fault(gpa, len, e);
	memset(to, 0, len);
	mem_wrote(m, to, len);
	return 0;
}

int mem_load(struct mem *m, uint64_t gpa, int fd, uint64_t offset, uint64_t len, struct verr *e)
{
	void *to = mem_ptr(m, gpa, len);

	if (to == NULL)
		return range_fault(gpa, len, e);
	if (sys_pread_full(fd, to, len, offset, e) < 0)
		return -1;
	mem_wrote(m, to, len);
	m->bytes_copied += len;
	return 0;
}

uint64_t mem_bytes_copied(const struct mem *m)
{
	return m->bytes_copied;
}

int mem_track(struct mem *m, bool on, struct verr *e)
{
	return dirty_set(&m->dirty, m->map.size / MEM_PAGE, on, e);
}

bool mem_tracks(const struct mem *m)
{
	return dirty_on(m->dirty);
}

static uint64_t offset_of(const struct mem *m, const void *at)
{
	return (uint64_t)((const uint8_t *)at - m->map.start);
}

void mem_wrote(const struct mem *m, const void *at, uint64_t len)
{
	if (dirty_on(m->dirty))
		dirty_wrote(m->dirty, offset_of(m, at), len);
}

void mem_handed(const struct mem *m, const void *at, uint64_t len)
{
	if (dirty_on(m->dirty))
		dirty_handed(m->dirty, offset_of(m, at), len);
}

void mem_collect(struct mem *m, bool still, uint64_t *bits)
{
	if (dirty_on(m->dirty))
		dirty_collect(m->dirty, still, bits);
}

void mem_note(struct mem *m, const uint64_t *bits)
{
	if (dirty_on(m->dirty))
		dirty_note(m->dirty, bits);
}
