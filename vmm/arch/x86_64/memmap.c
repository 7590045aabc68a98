/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/arch/x86_64/arch.h"
#include "vmm/arch/x86_64/layout.h"

size_t memmap_of(const struct mem *mem, struct memmap_entry out[static MEMMAP_MAX])
{
	const struct mem_region *regions;
	size_t count = mem_regions(mem, &regions), n = 0;

	out[n++] = (struct memmap_entry){0, LAYOUT_LOW_RAM_END, MEMMAP_RAM};
	out[n++] =
		(struct memmap_entry){LAYOUT_ACPI, LAYOUT_HIGH_RAM - LAYOUT_ACPI, MEMMAP_RESERVED};
	out[n++] = (struct memmap_entry){LAYOUT_HIGH_RAM, regions[0].len - LAYOUT_HIGH_RAM,
					 MEMMAP_RAM};
	for (size_t i = 1; i < count; i++)
		out[n++] = (struct memmap_entry){regions[i].gpa, regions[i].len, MEMMAP_RAM};
	return n;
}
