/* SPDX-License-Identifier: Apache-2.0 */
/* What guest memory is made of: the room's own view; others include mem.h. */
#ifndef VOLT_VMM_MEM_BACKING_H
#define VOLT_VMM_MEM_BACKING_H

#include "vmm/mem/mem.h"

struct mem_mapping {
	uint8_t *reserved; /* the address space with its guard pages and alignment slack */
	uint64_t reserved_len;
	uint8_t *start; /* aligned to MEM_HUGE_PAGE */
	uint64_t size;
	enum mem_backing backing;
	bool layered; /* of files' pages, which are still theirs where nobody has written */
};

/* layers.c: the files that memory is made of */
struct mem_layers {
	struct layer {
		int fd;
		struct mem_run *runs; /* owned; NULL: all pages */
		size_t count;
	} layer[MEM_LAYERS_MAX];
	size_t count;
};

/* Descriptors and runs of its own; runs that are not in order or not in memory are a fault. */
V_MUST_CHECK int layers_open(struct mem_layers *l, const struct mem_options *options,
			     struct verr *e);
void layers_close(struct mem_layers *l);

/* Map their pages privately over `map`; or read them into it. */
V_MUST_CHECK int layers_map(const struct mem_layers *l, const struct mem_mapping *map,
			    struct verr *e);
V_MUST_CHECK int layers_read(const struct mem_layers *l, const struct mem_mapping *map,
			     struct verr *e);

/* Has the file whose page is at `offset` data there, or a hole? Holds until `*until`. */
bool layers_have_data(const struct mem_layers *l, uint64_t size, uint64_t offset, uint64_t *until);

/* backing.c */
V_MUST_CHECK int mem_map(const struct mem_options *options, const struct mem_layers *layers,
			 struct mem_mapping *map, struct verr *e);
void mem_unmap(struct mem_mapping *map);

/* dirty.c */
struct mem_dirty;
V_MUST_CHECK int dirty_set(struct mem_dirty **d, uint64_t pages, bool on, struct verr *e);
bool dirty_on(const struct mem_dirty *d); /* takes NULL */
void dirty_free(struct mem_dirty *d);     /* likewise */
void dirty_wrote(struct mem_dirty *d, uint64_t offset, uint64_t len);
void dirty_handed(struct mem_dirty *d, uint64_t offset, uint64_t len);
void dirty_collect(struct mem_dirty *d, bool still, uint64_t *bits);
void dirty_note(struct mem_dirty *d, const uint64_t *bits);

/* mem.c, for the others of the room */
struct mem {
	struct mem_mapping map;
	struct mem_region regions[MEM_REGIONS_MAX];
	size_t nregions;
	uint64_t bytes_copied;
	struct mem_layers layers;
	struct mem_dirty *dirty; /* NULL: never wanted yet */
	int pagemap;             /* /proc/self/pagemap; -1: every page may be anything */
};

#endif
