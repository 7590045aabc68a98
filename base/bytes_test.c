/* SPDX-License-Identifier: Apache-2.0 */
/* bytes.h and the arithmetic of checked.h that it stands on. */
#include "base/bytes.h"

#include <stdlib.h>

#include "base/test.h"

static void test_getters_are_little_endian(void **state)
{
	static const uint8_t raw[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x88, 0xff};
	struct bytes b = bytes_of(raw, sizeof(raw));
	uint8_t v8;
	uint16_t v16;
	uint32_t v32;
	uint64_t v64;

	(void)state;
	assert_true(bytes_u8(b, 8, &v8));
	assert_int_equal(v8, 0xff);
	assert_true(bytes_u16(b, 7, &v16));
	assert_int_equal(v16, 0xff88);
	assert_true(bytes_u32(b, 1, &v32));
	assert_int_equal(v32, 0x05040302);
	assert_true(bytes_u64(b, 0, &v64));
	assert_int_equal(v64, 0x8807060504030201);
}

/* An allocation of its own, so that AddressSanitizer sees the first byte too many. */
static void test_getters_stay_inside(void **state)
{
	uint8_t *raw = calloc(1, 16), out[32], v8 = 1;
	struct bytes b = bytes_of(raw, 16);
	uint16_t v16 = 2;
	uint32_t v32 = 3;
	uint64_t v64 = 4;

	(void)state;
	for (uint64_t off = 0; off < 40; off++) {
		assert_int_equal(bytes_u8(b, off, &(uint8_t){0}), off <= 15);
		assert_int_equal(bytes_u16(b, off, &(uint16_t){0}), off <= 14);
		assert_int_equal(bytes_u32(b, off, &(uint32_t){0}), off <= 12);
		assert_int_equal(bytes_u64(b, off, &(uint64_t){0}), off <= 8);
		for (size_t len = 0; len <= sizeof(out); len++)
			assert_int_equal(bytes_copy(b, off, out, len), off + len <= 16);
	}
	/* Ends that overflow; and the output is left alone. */
	for (uint64_t off = UINT64_MAX - 8; off != 0; off++) {
		assert_false(bytes_u8(b, off, &v8));
		assert_false(bytes_u16(b, off, &v16));
		assert_false(bytes_u32(b, off, &v32));
		assert_false(bytes_u64(b, off, &v64));
		assert_false(bytes_copy(b, off, out, sizeof(out)));
		assert_false(bytes_copy(b, off, out, 0));
	}
	assert_int_equal(v8 + v16 + v32 + v64, 1 + 2 + 3 + 4);
	free(raw);
}

static void test_empty_run(void **state)
{
	struct bytes b = bytes_of("", 0);
	uint8_t v8;

	(void)state;
	assert_false(bytes_u8(b, 0, &v8));
	assert_true(bytes_copy(b, 0, &v8, 0));
}

static void test_putters_mirror_getters(void **state)
{
	uint8_t raw[9] = {0};

	(void)state;
	put_le16(raw + 1, 0xa1b2);
	assert_int_equal(le16(raw + 1), 0xa1b2);
	assert_int_equal(raw[1], 0xb2);
	put_le32(raw + 1, 0xa1b2c3d4);
	assert_int_equal(le32(raw + 1), 0xa1b2c3d4);
	put_le64(raw + 1, 0xa1b2c3d4e5f60718);
	assert_int_equal(le64(raw + 1), 0xa1b2c3d4e5f60718);
	assert_int_equal(raw[1], 0x18);
	assert_int_equal(raw[0], 0);
}

static void test_checked_arithmetic(void **state)
{
	uint64_t v;

	(void)state;
	assert_true(add_u64(UINT64_MAX - 1, 1, &v));
	assert_int_equal(v, UINT64_MAX);
	assert_false(add_u64(UINT64_MAX, 1, &v));
	assert_true(mul_u64(1ULL << 32, (1ULL << 32) - 1, &v));
	assert_false(mul_u64(1ULL << 32, 1ULL << 32, &v));
	assert_true(align_up_u64(0, 4096, &v));
	assert_int_equal(v, 0);
	assert_true(align_up_u64(1, 4096, &v));
	assert_int_equal(v, 4096);
	assert_true(align_up_u64(4096, 4096, &v));
	assert_int_equal(v, 4096);
	assert_true(align_up_u64(UINT64_MAX - 4095, 4096, &v));
	assert_int_equal(v, UINT64_MAX - 4095);
	assert_false(align_up_u64(UINT64_MAX - 4094, 4096, &v));
}

static void test_ranges(void **state)
{
	(void)state;
	assert_true(range_within(0, 0, 0));
	assert_true(range_within(5, 5, 10)); /* to the very end */
	assert_true(range_within(10, 0, 10));
	assert_false(range_within(11, 0, 10));
	assert_false(range_within(5, 6, 10));
	assert_false(range_within(5, UINT64_MAX - 4, 10)); /* wraps round to 0 */
	assert_false(range_within(UINT64_MAX, 2, UINT64_MAX));
	assert_true(range_within(0, UINT64_MAX, UINT64_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_getters_are_little_endian),
		cmocka_unit_test(test_getters_stay_inside),
		cmocka_unit_test(test_empty_run),
		cmocka_unit_test(test_putters_mirror_getters),
		cmocka_unit_test(test_checked_arithmetic),
		cmocka_unit_test(test_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
