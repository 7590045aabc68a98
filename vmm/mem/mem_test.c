/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/mem/mem.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/own.h"
#include "base/test.h"

static struct mem *new_mem(uint64_t size)
{
	struct mem_options options = {.size = size, .huge = MEM_HUGE_OFF};
	struct verr e = VERR_INIT;
	struct mem *m = NULL;

	assert_ok(mem_new(&options, &m, &e), &e);
	return m;
}

static void test_regions_leave_the_hole(void **state)
{
	const struct mem_region *r;
	struct mem *m = new_mem(MIB(64));

	(void)state;
	assert_int_equal(mem_regions(m, &r), 1);
	assert_int_equal(r[0].len, MIB(64));
	m = mem_free(m);
	m = new_mem(GIB(4));
	assert_int_equal(mem_regions(m, &r), 2);
	assert_int_equal(r[0].len, MEM_HOLE_START);
	assert_int_equal(r[1].gpa, MEM_HOLE_END);
	assert_int_equal(r[1].len, GIB(4) - MEM_HOLE_START);
	(void)mem_free(m);
}

/* Ends of regions, sums that wrap, ranges over two regions (CVE-2019-18960's class). */
static void test_ptr_bounds(void **state)
{
	struct mem *m = new_mem(GIB(4));
	const uint64_t high_end = MEM_HOLE_END + GIB(4) - MEM_HOLE_START;
	const struct {
		uint64_t gpa, len;
		bool valid;
	} cases[] = {
		{0, 1, true},
		{0, MEM_HOLE_START, true},
		{0, MEM_HOLE_START + 1, false},
		{MEM_HOLE_START - 1, 1, true},
		{MEM_HOLE_START - 1, 2, false},
		{MEM_HOLE_START, 0, true},
		{MEM_HOLE_START, 1, false},
		{MEM_HOLE_END - 1, 1, false},
		{MEM_HOLE_END - 1, 2, false},
		{MEM_HOLE_END, GIB(4) - MEM_HOLE_START, true},
		{high_end - 1, 1, true},
		{high_end - 1, 2, false},
		{high_end, 0, true},
		{high_end + 1, 0, false},
		{MEM_HOLE_START - 16, MEM_HOLE_END - MEM_HOLE_START + 32, false},
		{UINT64_MAX, 1, false},
		{UINT64_MAX, UINT64_MAX, false},
		{1, UINT64_MAX, false},
		{8, UINT64_MAX - 7, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if ((mem_ptr(m, cases[i].gpa, cases[i].len) != NULL) != cases[i].valid)
			fail_msg("%#llx+%#llx", (unsigned long long)cases[i].gpa,
				 (unsigned long long)cases[i].len);
	(void)mem_free(m);
}

static void test_copies(void **state)
{
	struct mem *m = new_mem(MIB(2));
	struct verr e = VERR_INIT;
	uint32_t v = 0x12345678, back = 0;

	(void)state;
	assert_ok(mem_write(m, MIB(2) - 4, &v, 4, &e), &e);
	assert_ok(mem_read(m, MIB(2) - 4, &back, 4, &e), &e);
	assert_int_equal(back, v);
	assert_int_equal(mem_bytes_copied(m), 4);
	assert_fault(mem_write(m, MIB(2) - 3, &v, 4, &e), &e, VERR_INVALID,
		     "guest addresses 0x1ffffd+0x4 are not memory");
	(void)mem_free(m);
}

static void test_load_and_short_file(void **state)
{
	auto_fd fd = memfd_create("file", MFD_CLOEXEC);
	struct mem *m = new_mem(MIB(2));
	struct verr e = VERR_INIT;
	char back[4];

	(void)state;
	assert_int_equal(pwrite(fd, "abcdef", 6, 0), 6);
	assert_ok(mem_load(m, 4096, fd, 2, 4, &e), &e);
	assert_ok(mem_read(m, 4096, back, 4, &e), &e);
	assert_memory_equal(back, "cdef", 4);
	assert_fault(mem_load(m, 4096, fd, 2, 5, &e), &e, VERR_INVALID,
		     "ends at offset 6, 1 bytes early");
	(void)mem_free(m);
}

static void test_guards(void **state)
{
	struct mem *m = new_mem(MIB(2));
	const struct mem_region *r;
	unsigned char present;

	(void)state;
	(void)mem_regions(m, &r);
	/* Inaccessible, but mapped: nothing else can come to lie there. */
	assert_int_equal(mincore(r[0].host - 4096, 4096, &present), 0);
	assert_int_equal(mincore(r[0].host + MIB(2), 4096, &present), 0);
	(void)mem_free(m);
}

static void test_fallback_and_prefault(void **state)
{
	struct mem_options options = {.size = GIB(64), .huge = MEM_HUGE_2M};
	struct verr e = VERR_INIT;
	struct mem *m = NULL;

	(void)state;
	assert_ok(mem_new(&options, &m, &e), &e); /* nobody reserves 32768 huge pages */
	assert_int_equal(mem_backing(m), MEM_BACKING_4K);
	m = mem_free(m);
	options = (struct mem_options){.size = MIB(4), .huge = MEM_HUGE_THP, .prefault = true};
	assert_ok(mem_new(&options, &m, &e), &e);
	m = mem_free(m);
	options.size = 4097;
	assert_fault(mem_new(&options, &m, &e), &e, VERR_INVALID, "at least 1 MiB, whole pages");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_regions_leave_the_hole),
		cmocka_unit_test(test_ptr_bounds),
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_load_and_short_file),
		cmocka_unit_test(test_guards),
		cmocka_unit_test(test_fallback_and_prefault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
