/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzz targets of vmm/boot share: a file made of the input, and what must always hold. */
#ifndef VOLT_FUZZ_BOOT_FUZZ_H
#define VOLT_FUZZ_BOOT_FUZZ_H

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/arch/x86_64/layout.h"
#include "vmm/boot/boot.h"

#define FUZZ_MEMORY MIB(16)

typedef int kernel_loader(struct mem *mem, int fd, uint64_t size, enum boot_entry want,
			  struct boot_kernel *out, struct verr *e);

static inline void must(bool holds)
{
	if (!holds)
		abort();
}

/* One file for all runs, with the input as its content. */
static inline int fuzz_file(const uint8_t *data, size_t size)
{
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("fuzz", MFD_CLOEXEC);
	must(fd >= 0);
	must(ftruncate(fd, 0) == 0);
	must(pwrite(fd, data, size, 0) == (ssize_t)size);
	return fd;
}

static inline struct mem *fuzz_memory(void)
{
	struct mem_options options = {.size = FUZZ_MEMORY, .huge = MEM_HUGE_OFF};
	struct verr e = VERR_INIT;
	struct mem *mem;

	must(mem_new(&options, &mem, &e) == 0);
	return mem;
}

/* A kernel is in memory, and its entry in it. */
static inline void fuzz_check_kernel(const struct mem *mem, const struct boot_kernel *k,
				     enum boot_entry want)
{
	must(k->entry == BOOT_ENTRY_PVH || k->entry == BOOT_ENTRY_LINUX64);
	must(want == BOOT_ENTRY_AUTO || want == k->entry);
	must(k->end_gpa <= mem_size(mem));
	must(k->entry_gpa >= LAYOUT_HIGH_RAM && k->entry_gpa < k->end_gpa);
	must(k->setup_header_len <= BOOT_SETUP_HEADER_MAX);
	must(k->cmdline_max < LAYOUT_LOW_RAM_END - LAYOUT_CMDLINE);
	must(mem_bytes_copied(mem) <= k->end_gpa - LAYOUT_HIGH_RAM);
}

/* What is below 1 MiB is not the kernel's: nothing was written there. */
static inline void fuzz_check_low_memory(const struct mem *mem)
{
	static const uint8_t zero[LAYOUT_HIGH_RAM];

	must(memcmp(mem_ptr(mem, 0, sizeof(zero)), zero, sizeof(zero)) == 0);
}

/* The same file as an initrd behind that kernel. */
static inline void fuzz_initrd(struct mem *mem, const struct boot_kernel *k, int fd, size_t size)
{
	struct boot_initrd initrd;
	struct verr e = VERR_INIT;

	if (initrd_load(mem, k, fd, size, &initrd, &e) < 0) {
		must(e.kind == VERR_INVALID && e.text[0] != '\0');
		return;
	}
	must(initrd.len == size && initrd.gpa % MEM_PAGE == 0);
	must(initrd.gpa >= k->end_gpa && initrd.gpa + initrd.len <= k->initrd_limit);
	must(mem_ptr(mem, initrd.gpa, initrd.len) != NULL);
}

static inline void fuzz_load(kernel_loader *load, int fd, size_t size, enum boot_entry want)
{
	struct mem *mem = fuzz_memory();
	struct boot_kernel k;
	struct verr e = VERR_INIT;

	if (load(mem, fd, size, want, &k, &e) == 0) {
		fuzz_check_kernel(mem, &k, want);
		fuzz_check_low_memory(mem);
		fuzz_initrd(mem, &k, fd, size);
	} else {
		must(e.kind == VERR_INVALID && e.text[0] != '\0');
	}
	(void)mem_free(mem);
}

/* The input as the kernel that `load` knows, entered each way, and as any kernel. */
static inline void fuzz_kernel(kernel_loader *load, const uint8_t *data, size_t size)
{
	int fd = fuzz_file(data, size);

	fuzz_load(load, fd, size, BOOT_ENTRY_AUTO);
	fuzz_load(load, fd, size, BOOT_ENTRY_PVH);
	fuzz_load(load, fd, size, BOOT_ENTRY_LINUX64);
	fuzz_load(boot_load_kernel, fd, size, BOOT_ENTRY_AUTO);
}

#endif
