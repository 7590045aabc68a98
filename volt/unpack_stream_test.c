/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/unpack_stream.h"

#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "volt/volt_test.h"

/* Zeros, of which much more come out than go in. */
#define PLAIN_LEN ((size_t)3000000)
#define ROOM ((size_t)100000)

static size_t pack_gzip(const uint8_t *plain, uint8_t *out)
{
	z_stream z = {.next_in = (Bytef *)(uintptr_t)plain,
		      .avail_in = PLAIN_LEN,
		      .next_out = out,
		      .avail_out = (uInt)ROOM};

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	(void)deflateEnd(&z);
	return z.total_out;
}

static size_t pack_xz(const uint8_t *plain, uint8_t *out)
{
	size_t len = 0;

	assert_int_equal(lzma_easy_buffer_encode(2, LZMA_CHECK_CRC32, NULL, plain, PLAIN_LEN, out,
						 &len, ROOM),
			 LZMA_OK);
	return len;
}

static size_t pack_zstd(const uint8_t *plain, uint8_t *out)
{
	size_t len = ZSTD_compress(out, ROOM, plain, PLAIN_LEN, 3);

	assert_false(ZSTD_isError(len));
	return len;
}

static const struct {
	const char *name;
	size_t (*pack)(const uint8_t *plain, uint8_t *out);
} streams[] = {{"gzip", pack_gzip}, {"xz", pack_xz}, {"zstd", pack_zstd}};

static uint8_t plain[PLAIN_LEN], packed[ROOM + 1];

static void test_each_is_unpacked(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
		struct bytes file = bytes_of(packed, streams[i].pack(plain, packed));
		auto_free uint8_t *out = NULL;
		struct verr e = VERR_INIT;
		size_t len = 0;

		assert_ok(unpack_stream(file, PLAIN_LEN, &out, &len, &e), &e);
		assert_int_equal(len, PLAIN_LEN);
		assert_memory_equal(out, plain, PLAIN_LEN);
	}
}

static void test_limit_holds(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
		struct bytes file = bytes_of(packed, streams[i].pack(plain, packed));
		uint8_t *out = NULL;
		struct verr e = VERR_INIT;
		size_t len;

		assert_fault(unpack_stream(file, PLAIN_LEN - 1, &out, &len, &e), &e, VERR_INVALID,
			     "more than 2999999 bytes");
		assert_non_null(strstr(e.text, streams[i].name));
	}
}

static void test_damage_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
		size_t full = streams[i].pack(plain, packed), len;

		for (size_t cut = 6; cut < full; cut += full / 7 + 1) {
			auto_free uint8_t *part = malloc(cut), *out = NULL;
			struct verr e = VERR_INIT;

			memcpy(part, packed, cut);
			assert_fault(unpack_stream(bytes_of(part, cut), PLAIN_LEN, &out, &len, &e),
				     &e, VERR_INVALID, "is damaged");
		}
		/* And what is behind the end. */
		struct verr e = VERR_INIT;
		uint8_t *out;

		packed[full] = 'x';
		assert_fault(unpack_stream(bytes_of(packed, full + 1), PLAIN_LEN, &out, &len, &e),
			     &e, VERR_INVALID, "is damaged");
	}
}

static void test_anything_else_is_as_it_is(void **state)
{
	auto_free uint8_t *out = NULL, *empty = NULL;
	struct verr e = VERR_INIT;
	size_t len = 0;

	(void)state;
	assert_ok(unpack_stream(bytes_of("\x7F"
					 "ELF",
					 4),
				4, &out, &len, &e),
		  &e);
	assert_int_equal(len, 4);
	assert_memory_equal(out,
			    "\x7F"
			    "ELF",
			    4);
	assert_ok(unpack_stream(bytes_of("", 0), 4, &empty, &len, &e), &e);
	assert_int_equal(len, 0);
	assert_fault(unpack_stream(bytes_of("12345", 5), 4, &out, &len, &e), &e, VERR_INVALID,
		     "more than 4 bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_is_unpacked),
		cmocka_unit_test(test_limit_holds),
		cmocka_unit_test(test_damage_is_refused),
		cmocka_unit_test(test_anything_else_is_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
