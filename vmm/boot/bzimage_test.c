/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/boot/boot_test.h"

#include "base/bytes.h"
#include "vmm/arch/x86_64/layout.h"

#define MEMORY MIB(8)
#define CODE_OFFSET 1024 /* boot sector and one of setup */
#define CODE_LEN 4096
#define IMAGE_LEN (CODE_OFFSET + CODE_LEN)
#define PREF MIB(2)
#define INIT_SIZE MIB(3)
#define HEADER_END 0x26C

struct image {
	uint8_t bytes[IMAGE_LEN];
};

static void put(struct image *i, size_t offset, size_t len, uint64_t value)
{
	uint8_t bytes[8];

	put_le64(bytes, value);
	memcpy(i->bytes + offset, bytes, len);
}

/* The header of a relocatable 64-bit kernel, offsets as in boot.rst. */
static struct image good_image(void)
{
	struct image i = {.bytes = {'M', 'Z'}};

	memset(i.bytes + CODE_OFFSET, 0xCC, CODE_LEN);
	put(&i, 0x1F1, 1, CODE_OFFSET / 512 - 1);
	put(&i, 0x1F4, 4, CODE_LEN / 16);
	put(&i, 0x1FE, 2, 0xAA55);
	put(&i, 0x200, 2, 0xEB | (HEADER_END - 0x202) << 8);
	memcpy(i.bytes + 0x202, "HdrS", 4);
	put(&i, 0x206, 2, 0x020F);
	put(&i, 0x211, 1, 0x01);
	put(&i, 0x214, 4, 0x100000);
	put(&i, 0x22C, 4, 0x7FFFFFFF);
	put(&i, 0x230, 4, MIB(2));
	put(&i, 0x234, 1, 1);
	put(&i, 0x236, 2, 0x7F);
	put(&i, 0x238, 4, 2047);
	put(&i, 0x258, 8, PREF);
	put(&i, 0x260, 4, INIT_SIZE);
	return i;
}

static int load_into(struct mem *mem, const struct image *i, size_t len, struct boot_kernel *out,
		     struct verr *e)
{
	auto_fd fd = test_file(i->bytes, len, len);

	return bzimage_load(mem, fd, len, BOOT_ENTRY_AUTO, out, e);
}

/* Load it, and see that the code is where the entry says. */
static struct boot_kernel load(const struct image *i)
{
	auto_mem *mem = test_mem(MEMORY);
	struct verr e = VERR_INIT;
	struct boot_kernel k;

	assert_ok(load_into(mem, i, sizeof(i->bytes), &k, &e), &e);
	assert_memory_equal(mem_ptr(mem, k.entry_gpa - 0x200, CODE_LEN), i->bytes + CODE_OFFSET,
			    CODE_LEN);
	assert_int_equal(mem_bytes_copied(mem), CODE_LEN);
	return k;
}

static void assert_refused(const struct image *i, const char *cause)
{
	auto_mem *mem = test_mem(MEMORY);
	struct verr e = VERR_INIT;
	struct boot_kernel k;

	assert_fault(load_into(mem, i, sizeof(i->bytes), &k, &e), &e, VERR_INVALID, cause);
}

static void test_relocatable_kernel_is_loaded_where_it_prefers(void **state)
{
	struct image i = good_image();
	struct boot_kernel k = load(&i);

	(void)state;
	assert_int_equal(k.entry, BOOT_ENTRY_LINUX64);
	assert_int_equal(k.entry_gpa, PREF + 0x200);
	assert_int_equal(k.end_gpa, PREF + INIT_SIZE);
	assert_int_equal(k.initrd_limit, 0x80000000);
	assert_int_equal(k.cmdline_max, 2047);
}

static void test_header_is_copied_and_says_where_the_kernel_is(void **state)
{
	struct image i = good_image();
	struct boot_kernel k = load(&i);

	(void)state;
	assert_int_equal(k.setup_header_len, HEADER_END - 0x1F1);
	put(&i, 0x214, 4, PREF);
	assert_memory_equal(k.setup_header, i.bytes + 0x1F1, k.setup_header_len);
}

static void test_preferred_address_is_aligned_and_above_1_mib(void **state)
{
	struct image i = good_image();

	(void)state;
	put(&i, 0x258, 8, PREF + 1);
	assert_int_equal(load(&i).entry_gpa, MIB(4) + 0x200);
	put(&i, 0x258, 8, 0);
	assert_int_equal(load(&i).entry_gpa, MIB(2) + 0x200);
	put(&i, 0x230, 4, 1);
	assert_int_equal(load(&i).entry_gpa, MIB(1) + 0x200);
}

/* It moves itself from 1 MiB to where it prefers to be; both places are taken. */
static void test_other_kernel_is_loaded_at_1_mib(void **state)
{
	struct image i = good_image();
	struct boot_kernel k;

	(void)state;
	put(&i, 0x234, 1, 0);
	k = load(&i);
	assert_int_equal(k.entry_gpa, MIB(1) + 0x200);
	assert_int_equal(k.end_gpa, PREF + INIT_SIZE);
}

static void test_code_counts_when_init_size_is_smaller(void **state)
{
	struct image i = good_image();

	(void)state;
	put(&i, 0x260, 4, 0);
	assert_int_equal(load(&i).end_gpa, PREF + CODE_LEN);
}

static void test_no_setup_sectors_means_four(void **state)
{
	struct image i = good_image();

	(void)state;
	put(&i, 0x1F1, 1, 0);
	assert_refused(&i, "cut short: its boot header announces 6656 bytes, but the file has "
			   "5120");
	put(&i, 0x1F4, 4, (IMAGE_LEN - 5 * 512) / 16);
	{
		auto_mem *mem = test_mem(MEMORY);
		struct verr e = VERR_INIT;
		struct boot_kernel k;

		i.bytes[5 * 512] = 0x11;
		assert_ok(load_into(mem, &i, IMAGE_LEN, &k, &e), &e);
		assert_memory_equal(mem_ptr(mem, PREF, 2), "\x11\xCC", 2);
	}
}

static void test_limits_are_kept_in_bounds(void **state)
{
	struct image i = good_image();

	(void)state;
	put(&i, 0x22C, 4, UINT32_MAX);
	put(&i, 0x238, 4, UINT32_MAX);
	assert_int_equal(load(&i).initrd_limit, 0x100000000);
	assert_int_equal(load(&i).cmdline_max, LAYOUT_LOW_RAM_END - LAYOUT_CMDLINE - 1);
}

/* boot.rst: 144 bytes are the most that a header can have. */
static void test_longest_header_fits(void **state)
{
	struct image i = good_image();

	(void)state;
	put(&i, 0x201, 1, 0x7F);
	assert_int_equal(load(&i).setup_header_len, BOOT_SETUP_HEADER_MAX);
}

static const struct patch {
	size_t offset;
	size_t len;
	uint64_t value;
	const char *cause;
} patches[] = {
	{0x202, 4, 0, "no Linux boot header"},
	{0x206, 2, 0x0205, "boot protocol 2.05: too old"},
	{0x206, 2, 0x020B, "boot protocol 2.11: too old, must be 2.12"},
	{0x201, 1, 0x80, "its boot header ends at 0x282: must be 0x264 to 0x281"},
	{0x201, 1, 0xFF, "its boot header ends at 0x301"},
	{0x201, 1, 0x61, "its boot header ends at 0x263"},
	{0x211, 1, 0x80, "a zImage"},
	{0x236, 2, 0x7E, "a 32-bit bzImage"},
	{0x230, 4, 0, "kernel_alignment 0 is not a power of two"},
	{0x230, 4, 0x300000, "kernel_alignment 0x300000 is not a power of two"},
	{0x1F4, 4, 0, "announces 0 bytes of code"},
	{0x1F4, 4, 0x20, "announces 512 bytes of code: too few to hold an entry"},
	{0x1F4, 4, CODE_LEN / 16 + 1, "cut short: its boot header announces 5136 bytes"},
	{0x1F4, 4, UINT32_MAX, "cut short: its boot header announces 68719477744 bytes"},
	{0x1F1, 1, 0xFF, "cut short: its boot header announces 135168 bytes"},
	{0x258, 8, UINT64_MAX, "pref_address 0xffffffffffffffff wraps around"},
	{0x258, 8, UINT64_MAX - MIB(2) + 1, "init_size 0x300000 wrap around"},
	{0x258, 8, MIB(6), "what it needs to unpack itself ends at 0x900000"},
	{0x258, 8, MIB(6), "guest memory at 0x800000: it takes --memory 9M at least"},
	{0x258, 8, MEM_HOLE_END, "0xc0000000 in a guest of any size"},
	{0x260, 4, UINT32_MAX, "0xc0000000 in a guest of any size"},
};

static void test_every_bad_field_is_refused(void **state)
{
	(void)state;
	for (size_t p = 0; p < ARRAY_LEN(patches); p++) {
		struct image i = good_image();

		put(&i, patches[p].offset, patches[p].len, patches[p].value);
		assert_refused(&i, patches[p].cause);
	}
}

static void test_pvh_is_refused(void **state)
{
	auto_mem *mem = test_mem(MEMORY);
	struct image i = good_image();
	auto_fd fd = test_file(i.bytes, IMAGE_LEN, IMAGE_LEN);
	struct verr e = VERR_INIT;
	struct boot_kernel k;

	(void)state;
	assert_fault(bzimage_load(mem, fd, IMAGE_LEN, BOOT_ENTRY_PVH, &k, &e), &e, VERR_INVALID,
		     "a bzImage has no PVH entry: use --entry linux64, or the vmlinux in it");
}

static void test_every_truncation_is_refused(void **state)
{
	auto_mem *mem = test_mem(MEMORY);
	struct image i = good_image();

	(void)state;
	for (size_t len = 0; len < IMAGE_LEN; len++) {
		struct verr e = VERR_INIT;
		struct boot_kernel k;

		assert_fault(load_into(mem, &i, len, &k, &e), &e, VERR_INVALID,
			     len < 0x206 ? "no Linux boot header" : "cut short");
	}
	assert_int_equal(mem_bytes_copied(mem), 0);
}

/* Signatures follow the code, and a file may shrink after its size was taken. */
static void test_size_is_not_trusted(void **state)
{
	auto_mem *mem = test_mem(MEMORY);
	struct image i = good_image();
	auto_fd longer = test_file(i.bytes, IMAGE_LEN, IMAGE_LEN + 1472);
	auto_fd shorter = test_file(i.bytes, IMAGE_LEN - 1, IMAGE_LEN - 1);
	struct verr e = VERR_INIT;
	struct boot_kernel k;

	(void)state;
	assert_ok(bzimage_load(mem, longer, IMAGE_LEN + 1472, BOOT_ENTRY_AUTO, &k, &e), &e);
	assert_int_equal(mem_bytes_copied(mem), CODE_LEN);
	assert_fault(bzimage_load(mem, shorter, IMAGE_LEN, BOOT_ENTRY_AUTO, &k, &e), &e,
		     VERR_INVALID, "ends at offset 5119, 1 bytes early");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_relocatable_kernel_is_loaded_where_it_prefers),
		cmocka_unit_test(test_header_is_copied_and_says_where_the_kernel_is),
		cmocka_unit_test(test_preferred_address_is_aligned_and_above_1_mib),
		cmocka_unit_test(test_other_kernel_is_loaded_at_1_mib),
		cmocka_unit_test(test_code_counts_when_init_size_is_smaller),
		cmocka_unit_test(test_no_setup_sectors_means_four),
		cmocka_unit_test(test_limits_are_kept_in_bounds),
		cmocka_unit_test(test_longest_header_fits),
		cmocka_unit_test(test_every_bad_field_is_refused),
		cmocka_unit_test(test_pvh_is_refused),
		cmocka_unit_test(test_every_truncation_is_refused),
		cmocka_unit_test(test_size_is_not_trusted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
