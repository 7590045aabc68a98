/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest memory, and the only ways to it: by guest physical address and length.
 *
 * Memory is one run of host address space between two inaccessible guard pages, split in the
 * guest's view at MEM_HOLE_START: what does not fit below goes to 4 GiB and up. It is taken from
 * the host page by page as it is touched (demand-paged) unless it is prefaulted. The guest changes
 * it at any moment: copy once, check the copy, use the copy.
 */
#ifndef VOLT_VMM_MEM_MEM_H
#define VOLT_VMM_MEM_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/verr.h"
#include "vmm/config/choices.h"

/* The hole below 4 GiB for device registers and the APICs. */
#define MEM_HOLE_START 0xC0000000ULL
#define MEM_HOLE_END 0x100000000ULL

#define MEM_PAGE 4096ULL
#define MEM_HUGE_PAGE (2ULL << 20)

/* What guest memory is really made of. */
enum mem_backing { MEM_BACKING_4K, MEM_BACKING_THP, MEM_BACKING_HUGETLB };

/* A run of guest physical addresses; at most two, in ascending order. */
struct mem_region {
	uint64_t gpa;
	uint64_t len;
	uint8_t *host; /* for KVM's memory slots only; everybody else calls mem_ptr() */
};

#define MEM_REGIONS_MAX 2

struct mem;

/*
 * Pages by their place: memory's regions one behind the other, as in the file of a snapshot. Whole
 * pages.
 */
struct mem_run {
	uint64_t offset, len;
};

/* A file of a snapshot's, and which of its pages count. */
struct mem_layer {
	int fd; /* to read; mem_new() borrows it and keeps a descriptor of its own */
	const struct mem_run *runs; /* in ascending order; NULL: all pages */
	size_t count;
};

/* Runs of all layers together: each is a mapping or two, of which a process may have 65530. */
#define MEM_RUNS_MAX 30000

#define MEM_LAYERS_MAX 64

struct mem_options {
	uint64_t size; /* bytes, a multiple of MEM_PAGE, at least 1 MiB */
	enum mem_huge huge;
	bool prefault;
	bool looked_at; /* somebody will ask mem_next_data() */

	/* What is in it: each page is that of the last layer that has it, and stays shared with the
	 * file until it is written. None: zeros. */
	const struct mem_layer *layers;
	size_t nlayers;
};

/*
 * Reserve guest memory. Huge pages that were asked for and that the host does not have are
 * replaced by 4 KiB ones with a log line. Files' pages are mapped, not read, but where reserved
 * huge pages are asked for and to be had: those are filled.
 */
V_MUST_CHECK int mem_new(const struct mem_options *options, struct mem **out, struct verr *e);
struct mem *mem_free(struct mem *mem); /* accepts NULL, returns NULL */

uint64_t mem_size(const struct mem *mem);
enum mem_backing mem_backing(const struct mem *mem);

/* The regions, borrowed for as long as `mem` lives; returns how many. */
size_t mem_regions(const struct mem *mem, const struct mem_region **out);

/*
 * The host address of [gpa, gpa + len), which must lie within one region; else NULL, also when
 * the sum wraps. An empty range is valid at any address inside a region or at its end.
 */
V_MUST_CHECK void *mem_ptr(const struct mem *mem, uint64_t gpa, uint64_t len);

/* Copy in or out; a fault when any byte of the range is not guest memory. */
V_MUST_CHECK int mem_read(const struct mem *mem, uint64_t gpa, void *out, uint64_t len,
			  struct verr *e);
V_MUST_CHECK int mem_write(struct mem *mem, uint64_t gpa, const void *from, uint64_t len,
			   struct verr *e);

/* Make a range zero. Fresh memory is zero already. */
V_MUST_CHECK int mem_zero(struct mem *mem, uint64_t gpa, uint64_t len, struct verr *e);

/*
 * Read `len` bytes at `offset` of a file straight into guest memory, with no copy between. A file
 * that ends early is a fault.
 */
V_MUST_CHECK int mem_load(struct mem *mem, uint64_t gpa, int fd, uint64_t offset, uint64_t len,
			  struct verr *e);

/* Bytes that mem_write() and mem_load() have put into guest memory. */
uint64_t mem_bytes_copied(const struct mem *mem);

/* --- which pages the host has written (dirty.c) --- */

/*
 * KVM tells what the guest has written; what the monitor's threads and the kernel on their behalf
 * have is noted here while tracking is on, a bit a page. mem_write() and its like do so; a
 * virtqueue does for its rings and for the buffers that a device gets to write in
 * (vmm/virtio/queue.c).
 */

/* Turn it on, with nothing noted, or off. While no device touches guest memory. */
V_MUST_CHECK int mem_track(struct mem *mem, bool on, struct verr *e);
bool mem_tracks(const struct mem *mem);

/* `len` bytes at a pointer of mem_ptr()'s have been written. Any thread; nearly nothing when off.
 */
void mem_wrote(const struct mem *mem, const void *at, uint64_t len);

/* They may be written from now until the device stands still. */
void mem_handed(const struct mem *mem, const void *at, uint64_t len);

/*
 * Add what was noted to `bits`, page 0 the lowest of the first word, and forget it. `still`: no
 * device touches guest memory; else what was handed out stays noted.
 */
void mem_collect(struct mem *mem, bool still, uint64_t *bits);

/* Note these pages: what was collected has come to nothing. */
void mem_note(struct mem *mem, const uint64_t *bits);

/* How many words such bits are. */
static inline size_t mem_words(const struct mem *mem)
{
	return (size_t)((mem_size(mem) / MEM_PAGE + 63) / 64);
}

/* --- all of it, by its place (pages.c); for snapshots --- */

/* `len` bytes at a place; NULL: they are not all there. The guest writes them at any moment. */
V_MUST_CHECK const void *mem_at(const struct mem *mem, uint64_t offset, uint64_t len);

/*
 * The next run of pages, at `from` or behind it, that may be anything but zeros; false: there is
 * none. Of memory that nobody has touched nothing is touched by this. One thread.
 */
V_MUST_CHECK bool mem_next_data(const struct mem *mem, uint64_t from, struct mem_run *out);

#endif
