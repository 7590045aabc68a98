/* SPDX-License-Identifier: Apache-2.0 */
/* PVH's start info (Xen: public/arch-x86/hvm/start_info.h, version 1). */
#include "vmm/arch/x86_64/arch.h"
#include "vmm/arch/x86_64/layout.h"

#define START_INFO_MAGIC 0x336EC578

struct start_info {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modlist_paddr, cmdline_paddr, rsdp_paddr, memmap_paddr;
	uint32_t memmap_entries, reserved;
};
_Static_assert(sizeof(struct start_info) == 56, "no padding");

struct module {
	uint64_t paddr, size, cmdline_paddr, reserved;
};

struct memmap {
	uint64_t addr, size;
	uint32_t type, reserved;
};

/* All of it in one page. */
struct page {
	struct start_info info;
	struct module initrd;
	struct memmap memmap[MEMMAP_MAX];
};

int pvh_info_write(struct mem *mem, const struct arch_boot *boot, struct verr *e)
{
	struct memmap_entry map[MEMMAP_MAX];
	size_t n = memmap_of(mem, map);
	struct page page = {
		.info = {.magic = START_INFO_MAGIC,
			 .version = 1,
			 .nr_modules = boot->initrd_len > 0,
			 .modlist_paddr = LAYOUT_PVH_INFO + offsetof(struct page, initrd),
			 .cmdline_paddr = LAYOUT_CMDLINE,
			 .rsdp_paddr = boot->acpi ? LAYOUT_ACPI : 0,
			 .memmap_paddr = LAYOUT_PVH_INFO + offsetof(struct page, memmap),
			 .memmap_entries = (uint32_t)n},
		.initrd = {.paddr = boot->initrd_gpa, .size = boot->initrd_len},
	};

	for (size_t i = 0; i < n; i++)
		page.memmap[i] = (struct memmap){map[i].start, map[i].len, map[i].type, 0};
	return mem_write(mem, LAYOUT_PVH_INFO, &page, sizeof(page), e);
}
