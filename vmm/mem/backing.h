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
};

V_MUST_CHECK int mem_map(const struct mem_options *options, struct mem_mapping *map,
			 struct verr *e);
void mem_unmap(struct mem_mapping *map);

#endif
