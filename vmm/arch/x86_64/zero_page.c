/* SPDX-License-Identifier: Apache-2.0 */
/* struct boot_params, Linux's "zero page" (Documentation/x86/zero-page.rst). */
#include <asm/bootparam.h>
#include <string.h>

#include "vmm/arch/x86_64/arch.h"
#include "vmm/arch/x86_64/layout.h"

#define HEADER_MAGIC 0x53726448 /* "HdrS" */
#define BOOT_FLAG 0xAA55
#define LOADER_UNDEFINED 0xFF

_Static_assert(sizeof(struct boot_params) == 4096, "one page");

static void set_memmap(struct boot_params *p, const struct mem *mem)
{
	struct memmap_entry map[MEMMAP_MAX];
	size_t n = memmap_of(mem, map);

	for (size_t i = 0; i < n; i++)
		p->e820_table[i] = (struct boot_e820_entry){
			.addr = map[i].start, .size = map[i].len, .type = map[i].type};
	p->e820_entries = (uint8_t)n;
}

int zero_page_write(struct mem *mem, const struct arch_boot *boot, struct verr *e)
{
	struct boot_params p = {0};

	if (boot->setup_header.len > 0) {
		memcpy(&p.hdr, boot->setup_header.at, MIN(boot->setup_header.len, sizeof(p.hdr)));
	} else { /* an ELF kernel has no header of its own */
		p.hdr.boot_flag = BOOT_FLAG;
		p.hdr.header = HEADER_MAGIC;
		p.hdr.kernel_alignment = 0x1000000;
	}
	p.hdr.type_of_loader = LOADER_UNDEFINED;
	p.hdr.cmd_line_ptr = (uint32_t)LAYOUT_CMDLINE;
	p.hdr.cmdline_size = boot->cmdline_len;
	p.hdr.ramdisk_image = (uint32_t)boot->initrd_gpa; /* initrds are loaded below 4 GiB */
	p.hdr.ramdisk_size = (uint32_t)boot->initrd_len;
	if (boot->acpi)
		p.acpi_rsdp_addr = LAYOUT_ACPI;
	set_memmap(&p, mem);
	return mem_write(mem, LAYOUT_ZERO_PAGE, &p, sizeof(p), e);
}
