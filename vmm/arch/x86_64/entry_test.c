/* SPDX-License-Identifier: Apache-2.0 */
/* Tables and structures that a kernel is entered with. */
#include <asm/bootparam.h>

#include "base/test.h"
#include "vmm/arch/x86_64/arch.h"
#include "vmm/arch/x86_64/layout.h"

static struct mem *new_mem(uint64_t size)
{
	struct mem_options options = {.size = size, .huge = MEM_HUGE_OFF};
	struct verr e = VERR_INIT;
	struct mem *m = NULL;

	assert_ok(mem_new(&options, &m, &e), &e);
	return m;
}

static uint64_t read_u64(const struct mem *m, uint64_t gpa)
{
	struct verr e = VERR_INIT;
	uint64_t v = 0;

	assert_ok(mem_read(m, gpa, &v, sizeof(v), &e), &e);
	return v;
}

/* Walk the tables as the processor does; returns the physical address. */
static uint64_t translate(const struct mem *m, uint64_t linear)
{
	uint64_t pml4e = read_u64(m, LAYOUT_PML4 + (linear >> 39 & 511) * 8);
	uint64_t pdpte = read_u64(m, (pml4e & ~0xFFFULL) + (linear >> 30 & 511) * 8);
	uint64_t pde = read_u64(m, (pdpte & ~0xFFFULL) + (linear >> 21 & 511) * 8);

	assert_int_equal(pml4e & 3, 3);
	assert_int_equal(pdpte & 3, 3);
	assert_int_equal(pde & 0x83, 0x83);
	return (pde & ~(MEM_HUGE_PAGE - 1)) | (linear & (MEM_HUGE_PAGE - 1));
}

static void test_paging(void **state)
{
	struct mem *m = new_mem(MIB(2));
	struct verr e = VERR_INIT;

	(void)state;
	assert_ok(paging_write(m, &e), &e);
	for (uint64_t at = 0; at < GIB(4); at += MIB(2)) {
		assert_int_equal(translate(m, at + 5), at + 5);
		if (at < GIB(2))
			assert_int_equal(translate(m, 0xFFFFFFFF80000000ULL + at + 7), at + 7);
	}
	assert_int_equal(read_u64(m, LAYOUT_PML4 + 8), 0);
	(void)mem_free(m);
}

static void test_gdt(void **state)
{
	struct mem *m = new_mem(MIB(2));
	struct verr e = VERR_INIT;

	(void)state;
	assert_ok(gdt_write(m, &e), &e);
	assert_int_equal(read_u64(m, LAYOUT_GDT), 0);
	assert_int_equal(read_u64(m, LAYOUT_GDT + 0x08), 0x00AF9B000000FFFF);
	assert_int_equal(read_u64(m, LAYOUT_GDT + 0x10), 0x00AF9B000000FFFF);
	assert_int_equal(read_u64(m, LAYOUT_GDT + 0x18), 0x00CF93000000FFFF);
	(void)mem_free(m);
}

static void test_zero_page(void **state)
{
	struct mem *m = new_mem(GIB(4));
	struct arch_boot boot = {.entry = BOOT_ENTRY_LINUX64,
				 .cmdline_len = 11,
				 .initrd_gpa = 0x7000000,
				 .initrd_len = 12345,
				 .acpi = true};
	struct boot_params p;
	struct verr e = VERR_INIT;

	(void)state;
	assert_ok(zero_page_write(m, &boot, &e), &e);
	assert_ok(mem_read(m, LAYOUT_ZERO_PAGE, &p, sizeof(p), &e), &e);
	assert_int_equal(p.hdr.header, 0x53726448);
	assert_int_equal(p.hdr.boot_flag, 0xAA55);
	assert_int_equal(p.hdr.type_of_loader, 0xFF);
	assert_int_equal(p.hdr.cmd_line_ptr, LAYOUT_CMDLINE);
	assert_int_equal(p.hdr.ramdisk_image, 0x7000000);
	assert_int_equal(p.hdr.ramdisk_size, 12345);
	assert_int_equal(p.acpi_rsdp_addr, LAYOUT_ACPI);
	assert_int_equal(p.e820_entries, 4);
	assert_int_equal(p.e820_table[0].size, 0x9FC00);
	assert_int_equal(p.e820_table[1].type, MEMMAP_RESERVED);
	assert_int_equal(p.e820_table[2].addr, MIB(1));
	assert_int_equal(p.e820_table[2].addr + p.e820_table[2].size, MEM_HOLE_START);
	assert_int_equal(p.e820_table[3].addr, MEM_HOLE_END);
	assert_int_equal(p.e820_table[3].size, GIB(1));
	(void)mem_free(m);
}

/* A bzImage's header arrives as it was, but for what the loader must say. */
static void test_zero_page_of_bzimage(void **state)
{
	struct setup_header hdr = {.version = 0x020F, .kernel_alignment = 0x200000};
	struct arch_boot boot = {.entry = BOOT_ENTRY_LINUX64,
				 .setup_header = bytes_of(&hdr, sizeof(hdr))};
	struct mem *m = new_mem(MIB(2));
	struct boot_params p;
	struct verr e = VERR_INIT;

	(void)state;
	assert_ok(zero_page_write(m, &boot, &e), &e);
	assert_ok(mem_read(m, LAYOUT_ZERO_PAGE, &p, sizeof(p), &e), &e);
	assert_int_equal(p.hdr.version, 0x020F);
	assert_int_equal(p.hdr.kernel_alignment, 0x200000);
	assert_int_equal(p.hdr.type_of_loader, 0xFF);
	assert_int_equal(p.acpi_rsdp_addr, 0);
	(void)mem_free(m);
}

static void test_pvh_info(void **state)
{
	struct mem *m = new_mem(MIB(64));
	struct arch_boot boot = {
		.entry = BOOT_ENTRY_PVH, .initrd_gpa = 0x3000000, .initrd_len = 99, .acpi = true};
	struct verr e = VERR_INIT;
	uint64_t modules, map;

	(void)state;
	assert_ok(arch_write_boot(m, &boot, &e), &e);
	assert_int_equal(read_u64(m, LAYOUT_PVH_INFO), 1ULL << 32 | 0x336EC578);
	assert_int_equal(read_u64(m, LAYOUT_PVH_INFO + 8) >> 32, 1); /* nr_modules */
	modules = read_u64(m, LAYOUT_PVH_INFO + 16);
	assert_int_equal(read_u64(m, modules), 0x3000000);
	assert_int_equal(read_u64(m, modules + 8), 99);
	assert_int_equal(read_u64(m, LAYOUT_PVH_INFO + 24), LAYOUT_CMDLINE);
	assert_int_equal(read_u64(m, LAYOUT_PVH_INFO + 32), LAYOUT_ACPI);
	map = read_u64(m, LAYOUT_PVH_INFO + 40);
	assert_int_equal(read_u64(m, LAYOUT_PVH_INFO + 48), 3);
	assert_int_equal(read_u64(m, map + 2 * 24), MIB(1));
	assert_int_equal(read_u64(m, map + 2 * 24 + 8), MIB(63));
	assert_int_equal(read_u64(m, LAYOUT_PML4), 0); /* PVH starts without paging */
	(void)mem_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paging),    cmocka_unit_test(test_gdt),
		cmocka_unit_test(test_zero_page), cmocka_unit_test(test_zero_page_of_bzimage),
		cmocka_unit_test(test_pvh_info),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
