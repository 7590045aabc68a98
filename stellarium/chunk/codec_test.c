/* SPDX-License-Identifier: Apache-2.0 */
#include "stellarium/chunk/codec.h"

#include "base/test.h"
#include "stellarium/chunk/expand.h"

static const enum stel_codec codecs[] = {STEL_CODEC_LZ4, STEL_CODEC_ZSTD};

static void test_what_was_compressed_comes_back(void **state)
{
	static uint8_t raw[70000], stored[sizeof(raw)], again[sizeof(raw)];
	struct chunk_expander *x = NULL;
	struct chunk_codec *c = NULL;
	struct verr e = VERR_INIT;

	(void)state;
	assert_ok(chunk_codec_new(&c, &e), &e);
	assert_ok(chunk_expander_new(&x, &e), &e);
	for (size_t i = 0; i < sizeof(raw); i++)
		raw[i] = (uint8_t)(i / 100);
	for (size_t i = 0; i < ARRAY_LEN(codecs); i++) {
		size_t n = chunk_compress(c, codecs[i], 1, bytes_of(raw, sizeof(raw)), stored);

		assert_in_range(n, 1, sizeof(raw) / 10);
		assert_true(chunk_expand(x, codecs[i], bytes_of(stored, n), again, sizeof(again)));
		assert_memory_equal(raw, again, sizeof(raw));
		assert_false(
			chunk_expand(x, codecs[i], bytes_of(stored, n), again, sizeof(again) - 1));
		assert_false(
			chunk_expand(x, codecs[i], bytes_of(stored, n - 1), again, sizeof(again)));
	}
	(void)chunk_codec_free(c);
	(void)chunk_expander_free(x);
}

static void test_what_does_not_become_smaller_stays_as_it_is(void **state)
{
	uint8_t raw[4096], stored[sizeof(raw)];
	uint64_t seed = 1;
	struct chunk_codec *c = NULL;
	struct verr e = VERR_INIT;

	(void)state;
	assert_ok(chunk_codec_new(&c, &e), &e);
	for (size_t i = 0; i < sizeof(raw); i++) {
		seed = seed * 6364136223846793005 + 1442695040888963407;
		raw[i] = (uint8_t)(seed >> 56);
	}
	for (size_t i = 0; i < ARRAY_LEN(codecs); i++) {
		assert_int_equal(
			chunk_compress(c, codecs[i], 1, bytes_of(raw, sizeof(raw)), stored), 0);
		assert_int_equal(chunk_compress(c, codecs[i], 1, bytes_of(raw, 1), stored), 0);
	}
	assert_int_equal(chunk_compress(c, STEL_CODEC_NONE, 0, bytes_of(raw, sizeof(raw)), stored),
			 0);
	(void)chunk_codec_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_was_compressed_comes_back),
		cmocka_unit_test(test_what_does_not_become_smaller_stays_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
