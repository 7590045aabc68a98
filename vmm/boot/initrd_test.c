/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/boot/boot_test.h"

#define MEMORY MIB(4)
#define NO_LIMIT 0x80000000

static const uint8_t content[] = "070701 an archive";

/* Load an initrd of `size` bytes behind a kernel. */
static int load(struct mem *mem, uint64_t kernel_end, uint64_t limit, uint64_t size,
		struct boot_initrd *out, struct verr *e)
{
	struct boot_kernel kernel = {.end_gpa = kernel_end, .initrd_limit = limit};
	auto_fd fd = test_file(content, MIN(sizeof(content), size), size);

	return initrd_load(mem, &kernel, fd, size, out, e);
}

static void assert_placed(uint64_t kernel_end, uint64_t limit, uint64_t size, uint64_t gpa)
{
	auto_mem *mem = test_mem(MEMORY);
	struct boot_initrd initrd;
	struct verr e = VERR_INIT;

	assert_ok(load(mem, kernel_end, limit, size, &initrd, &e), &e);
	assert_int_equal(initrd.gpa, gpa);
	assert_int_equal(initrd.len, size);
	assert_memory_equal(mem_ptr(mem, gpa, size), content, MIN(sizeof(content), size));
	assert_int_equal(mem_bytes_copied(mem), size);
}

static void assert_refused(uint64_t kernel_end, uint64_t limit, uint64_t size, const char *cause)
{
	auto_mem *mem = test_mem(MEMORY);
	struct boot_initrd initrd;
	struct verr e = VERR_INIT;

	assert_fault(load(mem, kernel_end, limit, size, &initrd, &e), &e, VERR_INVALID, cause);
}

static void test_is_as_high_as_possible_on_a_page(void **state)
{
	(void)state;
	assert_placed(MIB(2), NO_LIMIT, 1, MEMORY - MEM_PAGE);
	assert_placed(MIB(2), NO_LIMIT, MEM_PAGE, MEMORY - MEM_PAGE);
	assert_placed(MIB(2), NO_LIMIT, MEM_PAGE + 1, MEMORY - 2 * MEM_PAGE);
}

static void test_obeys_the_limit(void **state)
{
	(void)state;
	assert_placed(MIB(2), MIB(3), MEM_PAGE, MIB(3) - MEM_PAGE);
	assert_placed(MIB(2), MIB(3) + 100, MEM_PAGE, MIB(3) - MEM_PAGE);
	assert_refused(MIB(2), MIB(3), MIB(1) + 1,
		       "1048577 bytes do not fit between the kernel's end at 0x200000 and "
		       "0x300000, the most that the kernel can reach");
	assert_refused(MIB(2), 1, 1, "0x200000 and 0x1, the most that the kernel can reach");
}

static void test_stays_clear_of_the_kernel(void **state)
{
	(void)state;
	assert_placed(MIB(2), NO_LIMIT, MIB(2), MIB(2));
	assert_placed(MIB(2) - 1, NO_LIMIT, MIB(2), MIB(2));
	assert_refused(MIB(2) + 1, NO_LIMIT, MIB(2),
		       "2097152 bytes do not fit between the kernel's end at 0x201000 and the end "
		       "of guest memory at 0x400000: it takes --memory 5M at least");
	assert_refused(MEMORY, NO_LIMIT, 1, "it takes --memory 5M at least");
}

static void test_stays_above_1_mib(void **state)
{
	(void)state;
	assert_placed(0, NO_LIMIT, MIB(3), MIB(1));
	assert_refused(0, NO_LIMIT, MIB(3) + 1, "kernel's end at 0x100000");
}

static void test_impossible_sizes_are_refused(void **state)
{
	auto_mem *mem = test_mem(MEMORY);
	struct boot_kernel kernel = {.end_gpa = MIB(2), .initrd_limit = UINT64_MAX};
	auto_fd fd = test_file(content, sizeof(content), sizeof(content));
	struct boot_initrd initrd;
	struct verr e = VERR_INIT;

	(void)state;
	assert_fault(initrd_load(mem, &kernel, fd, UINT64_MAX, &initrd, &e), &e, VERR_INVALID,
		     "18446744073709551615 bytes do not fit between the kernel's end at 0x200000 "
		     "and 0xc0000000, the most that the kernel can reach");
	assert_refused(UINT64_MAX, NO_LIMIT, 1, "the kernel ends at 0xffffffffffffffff");
	assert_refused(MIB(2), NO_LIMIT, 0, "the file is empty");
}

static void test_file_that_shrinks_is_refused(void **state)
{
	auto_mem *mem = test_mem(MEMORY);
	struct boot_kernel kernel = {.end_gpa = MIB(2), .initrd_limit = NO_LIMIT};
	auto_fd fd = test_file(content, sizeof(content), MEM_PAGE);
	struct boot_initrd initrd;
	struct verr e = VERR_INIT;

	(void)state;
	assert_fault(initrd_load(mem, &kernel, fd, MEM_PAGE + 1, &initrd, &e), &e, VERR_INVALID,
		     "ends at offset 4096, 1 bytes early");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_is_as_high_as_possible_on_a_page),
		cmocka_unit_test(test_obeys_the_limit),
		cmocka_unit_test(test_stays_clear_of_the_kernel),
		cmocka_unit_test(test_stays_above_1_mib),
		cmocka_unit_test(test_impossible_sizes_are_refused),
		cmocka_unit_test(test_file_that_shrinks_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
