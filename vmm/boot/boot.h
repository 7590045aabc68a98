/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading what a guest starts from: kernel images, initrd, command line. Every offset and length
 * in a file is hostile: it is checked against the file's size and guest memory before use.
 */
#ifndef VOLT_VMM_BOOT_BOOT_H
#define VOLT_VMM_BOOT_BOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/config/choices.h"
#include "vmm/mem/mem.h"

/*
 * The setup header of the Linux boot protocol, at the same offset in a bzImage and in the zero
 * page. boot.rst "The kernel_info" limits it to 144 bytes for good.
 */
#define BOOT_SETUP_HEADER_OFFSET 0x1F1
#define BOOT_SETUP_HEADER_MAX 0x90

struct boot_kernel {
	enum boot_entry entry; /* BOOT_ENTRY_PVH or BOOT_ENTRY_LINUX64 */
	uint64_t entry_gpa;
	uint64_t end_gpa; /* first byte after all that the kernel takes, its bss and, for a
			     bzImage, init_size included */
	/* A bzImage's setup header, to be copied to the zero page, with code32_start set to where
	   the kernel is; length 0 for ELF. */
	uint8_t setup_header[BOOT_SETUP_HEADER_MAX];
	size_t setup_header_len;
	uint64_t initrd_limit; /* an initrd must end at or below this address */
	uint32_t cmdline_max;  /* longest command line in bytes, without its NUL; it always fits
				  between LAYOUT_CMDLINE and LAYOUT_LOW_RAM_END */
};

/*
 * Load the kernel in `fd` (borrowed; a regular file of `size` bytes) into fresh guest memory, above
 * 1 MiB and below MEM_HOLE_START: ELF64 x86-64 vmlinux or bzImage, told apart by content. `want`
 * other than AUTO is a fault when the image cannot be entered that way. The file is read straight
 * into place. After a fault `out` is untouched; guest memory may hold part of the file.
 */
V_MUST_CHECK int boot_load_kernel(struct mem *mem, int fd, uint64_t size, enum boot_entry want,
				  struct boot_kernel *out, struct verr *e);

/* The drawers behind boot_load_kernel(); `size` as there. */
V_MUST_CHECK int elf_load(struct mem *mem, int fd, uint64_t size, enum boot_entry want,
			  struct boot_kernel *out, struct verr *e);
V_MUST_CHECK int bzimage_load(struct mem *mem, int fd, uint64_t size, enum boot_entry want,
			      struct boot_kernel *out, struct verr *e);

struct boot_initrd {
	uint64_t gpa; /* page-aligned */
	uint64_t len; /* bytes; 0: none */
};

/*
 * Load an initrd as high below `kernel->initrd_limit` and the end of low memory as it fits, clear
 * of the kernel. A fault when it does not fit: names the sizes and the remedy (--memory).
 */
V_MUST_CHECK int initrd_load(struct mem *mem, const struct boot_kernel *kernel, int fd,
			     uint64_t size, struct boot_initrd *out, struct verr *e);

#endif
