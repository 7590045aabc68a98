/* SPDX-License-Identifier: Apache-2.0 */
#include "stellarium/image/split.h"

#include <stdlib.h>

#include "base/own.h"
#include "base/test.h"

#define LEN (MIB(2) + 1234)

/* Runs of random bytes and of zeros, some of them not on pages. */
static void fill(uint8_t *out, size_t len)
{
	uint64_t seed = 7;

	for (size_t i = 0; i < len; i++) {
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		out[i] = i / 50000 % 3 == 1 || i / 4096 % 7 == 2 ? 0 : (uint8_t)(seed >> 24) | 1;
	}
}

struct list {
	uint64_t lens[4096];
	bool zeros[4096];
	size_t count;
};

/* Zero runs in a row are one. */
static void note(struct list *l, const struct split_piece *piece)
{
	if (piece->zero && l->count > 0 && l->zeros[l->count - 1]) {
		l->lens[l->count - 1] += piece->len;
		return;
	}
	l->lens[l->count] = piece->len;
	l->zeros[l->count++] = piece->zero;
}

/* Split `data` when it comes in parts of `step` bytes. */
static void split_all(const struct chunk_cut *cut, const uint8_t *data, size_t len, size_t step,
		      struct list *out)
{
	uint64_t at = 0;
	size_t have = 0;

	out->count = 0;
	while (at < len) {
		struct split s = {.cut = cut, .data = data + at, .offset = at};
		struct split_piece piece;

		have = MIN(have + step, len - at);
		s.len = have;
		s.whole = at + have == len;
		while (split_next(&s, &piece)) {
			for (uint64_t i = 0; piece.zero && i < piece.len; i++)
				assert_int_equal(data[at + s.at - piece.len + i], 0);
			note(out, &piece);
		}
		at += s.at;
		have -= s.at;
	}
}

static void test_parts_do_not_matter(void **state)
{
	static const enum stel_method methods[] = {STEL_CUT_PAGE, STEL_CUT_FASTCDC, STEL_CUT_FIXED};
	static const size_t steps[] = {MIB(4), 300001, 65536, 5000};
	static uint8_t data[LEN];
	static struct list whole, parts;
	struct chunk_cut cut;

	(void)state;
	fill(data, sizeof(data));
	for (size_t m = 0; m < ARRAY_LEN(methods); m++) {
		struct stel_cutting how = stel_cutting_usual(methods[m]);
		uint64_t sum = 0;

		if (methods[m] == STEL_CUT_FIXED)
			how.min = how.average = how.max = (uint32_t)KIB(8);
		chunk_cut_init(&cut, &how);
		split_all(&cut, data, sizeof(data), sizeof(data), &whole);
		for (size_t i = 0; i < whole.count; i++)
			sum += whole.lens[i];
		assert_int_equal(sum, sizeof(data));
		for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
			split_all(&cut, data, sizeof(data), steps[i], &parts);
			assert_int_equal(parts.count, whole.count);
			assert_memory_equal(parts.lens, whole.lens,
					    whole.count * sizeof(whole.lens[0]));
		}
	}
}

/* In pages, a chunk has no page that is zero. */
static void test_zero_pages_are_in_no_chunk(void **state)
{
	static uint8_t data[LEN];
	struct stel_cutting how = stel_cutting_usual(STEL_CUT_PAGE);
	struct split s = {.data = data, .len = sizeof(data), .whole = true};
	struct split_piece piece;
	struct chunk_cut cut;

	(void)state;
	fill(data, sizeof(data));
	chunk_cut_init(&cut, &how);
	s.cut = &cut;
	while (split_next(&s, &piece))
		for (uint64_t at = 0; !piece.zero && at + CHUNK_PAGE <= piece.len; at += CHUNK_PAGE)
			assert_false(chunk_is_zero(data + piece.at + at, CHUNK_PAGE));
	assert_int_equal(s.at, sizeof(data));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts_do_not_matter),
		cmocka_unit_test(test_zero_pages_are_in_no_chunk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
