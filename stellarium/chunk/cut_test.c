/* SPDX-License-Identifier: Apache-2.0 */
#include "stellarium/chunk/cut.h"

#include <stdlib.h>

#include "base/own.h"
#include "base/test.h"

#define LEN MIB(3)

/* The same numbers each time. */
static void fill(uint8_t *out, size_t len, uint64_t seed)
{
	for (size_t i = 0; i < len; i++) {
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		out[i] = (uint8_t)(seed >> 32);
	}
}

static uint8_t *random_bytes(size_t len, uint64_t seed)
{
	uint8_t *bytes = malloc(len);

	assert_non_null(bytes);
	fill(bytes, len, seed);
	return bytes;
}

/* All boundaries of `data`, as offsets; returns how many. */
static size_t cut_all(const struct chunk_cut *c, const uint8_t *data, size_t len, size_t *ends)
{
	size_t at = 0, count = 0;

	while (at < len) {
		size_t n = chunk_cut_next(c, data + at, len - at, true);

		assert_in_range(n, 1, c->how.max);
		at += n;
		ends[count++] = at;
	}
	assert_int_equal(at, len);
	return count;
}

static const enum stel_method methods[] = {STEL_CUT_PAGE, STEL_CUT_FASTCDC, STEL_CUT_FIXED};

static void test_chunks_are_all_of_the_input_and_near_the_average(void **state)
{
	auto_free uint8_t *data = random_bytes(LEN, 1);
	auto_free size_t *ends = calloc(LEN / CHUNK_PAGE + 1, sizeof(*ends));
	struct chunk_cut c;

	(void)state;
	for (size_t m = 0; m < ARRAY_LEN(methods); m++) {
		struct stel_cutting how = stel_cutting_usual(methods[m]);
		size_t count, wanted = LEN / how.average;

		chunk_cut_init(&c, &how);
		count = cut_all(&c, data, LEN, ends);
		assert_in_range(count, wanted / 2, 2 * wanted + 1);
		for (size_t i = 0; i + 1 < count; i++) {
			size_t n = ends[i] - (i > 0 ? ends[i - 1] : 0);

			assert_in_range(n, how.min, how.max);
			if (methods[m] != STEL_CUT_FASTCDC)
				assert_int_equal(n % CHUNK_PAGE, 0);
		}
	}
}

/* A boundary does not depend on how much of what follows is there already. */
static void test_more_is_asked_for_until_it_can_be_told(void **state)
{
	auto_free uint8_t *data = random_bytes(MIB(1), 2);
	struct chunk_cut c;

	(void)state;
	for (size_t m = 0; m < 2; m++) {
		struct stel_cutting how = stel_cutting_usual(methods[m]);
		size_t whole;

		chunk_cut_init(&c, &how);
		whole = chunk_cut_next(&c, data, MIB(1), true);
		for (size_t len = 0; len < whole + 9000; len += 511) {
			size_t n = chunk_cut_next(&c, data, len, false);

			assert_int_equal(n, len >= whole ? whole : 0);
		}
		assert_int_equal(chunk_cut_next(&c, data, 100, true), 100);
	}
}

/* How many of b's boundaries are a's, moved by `shift` bytes. */
static size_t shared(const size_t *a, size_t a_count, const size_t *b, size_t b_count, size_t shift)
{
	size_t i = 0, n = 0;

	for (size_t j = 0; j < b_count; j++) {
		while (i < a_count && a[i] + shift < b[j])
			i++;
		n += i < a_count && a[i] + shift == b[j];
	}
	return n;
}

static size_t boundaries_a[LEN / 4096 + 1], boundaries_b[LEN / 4096 + 16];

static void check_insertion(enum stel_method method, size_t shift)
{
	auto_free uint8_t *a = random_bytes(LEN, 3), *b = malloc(LEN + shift);
	struct stel_cutting how = stel_cutting_usual(method);
	struct chunk_cut c;
	size_t na, nb;

	assert_non_null(b);
	fill(b, shift, 4);
	memcpy(b + shift, a, LEN);
	chunk_cut_init(&c, &how);
	na = cut_all(&c, a, LEN, boundaries_a);
	nb = cut_all(&c, b, LEN + shift, boundaries_b);
	assert_true(shared(boundaries_a, na, boundaries_b, nb, shift) + 3 >= na);
}

static void test_boundaries_survive_insertion(void **state)
{
	(void)state;
	check_insertion(STEL_CUT_PAGE, CHUNK_PAGE);
	check_insertion(STEL_CUT_PAGE, (size_t)7 * CHUNK_PAGE);
	check_insertion(STEL_CUT_FASTCDC, 1);
	check_insertion(STEL_CUT_FASTCDC, 12345);
}

/* The definition, a byte a step. */
static size_t plain_fastcdc(const struct chunk_cut *c, const uint8_t *data, size_t len)
{
	uint64_t hash = 0;

	for (size_t i = c->how.min; i < len; i++) {
		hash = (hash << 1) + c->gear[data[i]];
		if ((hash & (i < c->how.average ? c->strict : c->loose)) == 0)
			return i + 1;
	}
	return len;
}

static void test_two_bytes_a_step_cut_where_one_does(void **state)
{
	auto_free uint8_t *data = random_bytes(LEN, 5);
	struct stel_cutting how = {STEL_CUT_FASTCDC, KIB(4), KIB(8), KIB(64)};
	struct chunk_cut c;

	(void)state;
	chunk_cut_init(&c, &how);
	for (size_t at = 0; at + KIB(64) <= LEN;) {
		size_t n = chunk_cut_next(&c, data + at, KIB(64), false);

		assert_int_equal(n, plain_fastcdc(&c, data + at, KIB(64)));
		at += n;
	}
}

static void test_impossible_sizes_are_refused(void **state)
{
	static const struct stel_cutting bad[] = {
		{STEL_CUT_PAGE, 4096, 5000, 8192},     {STEL_CUT_PAGE, 2048, 4096, 8192},
		{STEL_CUT_PAGE, 4096, 8192, 1U << 25}, {STEL_CUT_FASTCDC, 8192, 4096, 8192},
		{STEL_CUT_FASTCDC, 4096, 16384, 8192}, {STEL_CUT_FIXED, 4096, 8192, 8192},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct verr e = VERR_INIT;

		assert_fault(chunk_cut_check(&bad[i], &e), &e, VERR_INVALID, "sizes of chunks");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chunks_are_all_of_the_input_and_near_the_average),
		cmocka_unit_test(test_more_is_asked_for_until_it_can_be_told),
		cmocka_unit_test(test_boundaries_survive_insertion),
		cmocka_unit_test(test_two_bytes_a_step_cut_where_one_does),
		cmocka_unit_test(test_impossible_sizes_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
