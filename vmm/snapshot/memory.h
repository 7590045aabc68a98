/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest memory into a file, each page at its place, what is zero as holes: while the guest runs,
 * and then what it has changed meanwhile.
 */
#ifndef VOLT_VMM_SNAPSHOT_MEMORY_H
#define VOLT_VMM_SNAPSHOT_MEMORY_H

#include <stdatomic.h>

#include "vmm/mem/mem.h"

struct memory_file {
	const struct mem *mem;
	int fd;                 /* the file */
	uint64_t *put;          /* by page: the file has it, as data */
	const atomic_bool *end; /* given up when it becomes true */
	uint64_t bytes;         /* written */
};

#define MEMORY_FILE_INIT \
	{                \
		.fd = -1 \
	}

/* `fd` is an empty file, taken. */
V_MUST_CHECK int memory_begin(struct memory_file *f, const struct mem *mem, int fd,
			      const atomic_bool *end, struct verr *e);
void memory_end(struct memory_file *f);

/* All pages. */
V_MUST_CHECK int memory_put_all(struct memory_file *f, struct verr *e);

/* These, a bit each. */
V_MUST_CHECK int memory_put(struct memory_file *f, const uint64_t *bits, struct verr *e);

/* --- sets of pages --- */

uint64_t pages_count(const uint64_t *bits, size_t words);

/*
 * The next run of pages in a set, from page `from` on; false: none.
 */
bool pages_next(const uint64_t *bits, uint64_t pages, uint64_t from, struct mem_run *out);

/*
 * Add pages to a set until it is at most `most` runs: those in the smallest gaps. Returns how many
 * runs there are.
 */
size_t pages_join(uint64_t *bits, uint64_t pages, size_t most);

#endif
