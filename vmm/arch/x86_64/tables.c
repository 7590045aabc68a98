/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptor and page tables for the entry to a 64-bit kernel. */
#include "vmm/arch/x86_64/arch.h"
#include "vmm/arch/x86_64/layout.h"
#include "vmm/arch/x86_64/segments.h"

/*
 * Intel SDM volume 3, 3.4.5. Linux's boot protocol wants code at 0x10 and data at 0x18; the same
 * flat code stands at 0x08 for kernels that expect it first.
 */
int gdt_write(struct mem *mem, struct verr *e)
{
	static const uint64_t gdt[SEGMENT_GDT_ENTRIES] = {
		[SEGMENT_CODE_LOW / 8] = SEGMENT_CODE64_DESCRIPTOR,
		[SEGMENT_CODE / 8] = SEGMENT_CODE64_DESCRIPTOR,
		[SEGMENT_DATA / 8] = SEGMENT_DATA_DESCRIPTOR,
	};

	return mem_write(mem, LAYOUT_GDT, gdt, sizeof(gdt), e);
}

#define PTE_PRESENT 0x01ULL
#define PTE_WRITE 0x02ULL
#define PTE_LARGE 0x80ULL
#define ENTRIES 512

static int write_entry(struct mem *mem, uint64_t table, unsigned index, uint64_t entry,
		       struct verr *e)
{
	return mem_write(mem, table + index * sizeof(entry), &entry, sizeof(entry), e);
}

/*
 * Intel SDM volume 3, 4.5. Both views share the page directories:
 *
 *	PML4[0]   -> PDPT_LOW[0..3]      -> PD 0..3    identity, 0-4 GiB
 *	PML4[511] -> PDPT_HIGH[510, 511] -> PD 0, 1    0xFFFFFFFF80000000 + 0-2 GiB
 */
int paging_write(struct mem *mem, struct verr *e)
{
	uint64_t pd[ENTRIES];
	const uint64_t table = PTE_PRESENT | PTE_WRITE;

	for (unsigned d = 0; d < 4; d++) {
		uint64_t at = LAYOUT_PD + d * MEM_PAGE;

		for (unsigned i = 0; i < ENTRIES; i++)
			pd[i] = (((uint64_t)d * ENTRIES + i) * MEM_HUGE_PAGE) | table | PTE_LARGE;
		if (mem_write(mem, at, pd, sizeof(pd), e) < 0 ||
		    write_entry(mem, LAYOUT_PDPT_LOW, d, at | table, e) < 0)
			return -1;
	}
	if (write_entry(mem, LAYOUT_PDPT_HIGH, 510, LAYOUT_PD | table, e) < 0 ||
	    write_entry(mem, LAYOUT_PDPT_HIGH, 511, (LAYOUT_PD + MEM_PAGE) | table, e) < 0 ||
	    write_entry(mem, LAYOUT_PML4, 0, LAYOUT_PDPT_LOW | table, e) < 0)
		return -1;
	return write_entry(mem, LAYOUT_PML4, 511, LAYOUT_PDPT_HIGH | table, e);
}

int arch_write_boot(struct mem *mem, const struct arch_boot *boot, struct verr *e)
{
	if (gdt_write(mem, e) < 0 || reset_vector_write(mem, e) < 0)
		return verr_note(e, "GDT and reset vector");
	if (boot->entry == BOOT_ENTRY_PVH)
		return pvh_info_write(mem, boot, e) < 0 ? verr_note(e, "PVH start info") : 0;
	if (paging_write(mem, e) < 0)
		return verr_note(e, "page tables");
	return zero_page_write(mem, boot, e) < 0 ? verr_note(e, "zero page") : 0;
}
