/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/unpack.h"

#include <lz4.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "volt/volt_test.h"

#define PLAIN_LEN 300000
#define ROOM ((size_t)600000)

static void fill_plain(uint8_t *plain)
{
	for (size_t i = 0; i < PLAIN_LEN; i++)
		plain[i] = (uint8_t)(i % 251 + i / 4096);
}

static size_t with_size(uint8_t *out, size_t len)
{
	put_le32(out + len, PLAIN_LEN);
	return len + 4;
}

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

/* As the kernel's build does: the filter for x86 code, and CRC32. */
static size_t pack_xz(const uint8_t *plain, uint8_t *out)
{
	lzma_options_lzma options;
	lzma_filter filters[] = {{.id = LZMA_FILTER_X86},
				 {.id = LZMA_FILTER_LZMA2, .options = &options},
				 {.id = LZMA_VLI_UNKNOWN}};
	size_t len = 0;

	assert_false(lzma_lzma_preset(&options, 6));
	assert_int_equal(lzma_stream_buffer_encode(filters, LZMA_CHECK_CRC32, NULL, plain,
						   PLAIN_LEN, out, &len, ROOM),
			 LZMA_OK);
	return with_size(out, len);
}

static size_t pack_zstd(const uint8_t *plain, uint8_t *out)
{
	size_t len = ZSTD_compress(out, ROOM, plain, PLAIN_LEN, 19);

	assert_false(ZSTD_isError(len));
	return with_size(out, len);
}

/* In two blocks, to have more than one. */
static size_t pack_lz4(const uint8_t *plain, uint8_t *out)
{
	const size_t half = PLAIN_LEN / 2;
	size_t len = 4;

	put_le32(out, 0x184C2102);
	for (size_t i = 0; i < 2; i++) {
		int n = LZ4_compress_default((const char *)plain + i * half, (char *)out + len + 4,
					     (int)half, LZ4_compressBound((int)half));

		assert_true(n > 0);
		put_le32(out + len, (uint32_t)n);
		len += 4 + (size_t)n;
	}
	return with_size(out, len);
}

static const struct {
	const char *name;
	size_t (*pack)(const uint8_t *plain, uint8_t *out);
} codecs[] = {{"gzip", pack_gzip}, {"xz", pack_xz}, {"zstd", pack_zstd}, {"lz4", pack_lz4}};

struct buffers {
	uint8_t *plain, *packed;
};

static int setup(void **state)
{
	struct buffers *b = calloc(1, sizeof(*b));

	b->plain = malloc(PLAIN_LEN);
	b->packed = malloc(ROOM);
	fill_plain(b->plain);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct buffers *b = *state;

	free(b->plain);
	free(b->packed);
	free(b);
	return 0;
}

static void test_every_codec_unpacks(void **state)
{
	struct buffers *b = *state;

	for (size_t i = 0; i < ARRAY_LEN(codecs); i++) {
		struct bytes payload = bytes_of(b->packed, codecs[i].pack(b->plain, b->packed));
		auto_free uint8_t *out = NULL;
		struct verr e = VERR_INIT;
		size_t len = 0;

		assert_string_equal(unpack_name(payload), codecs[i].name);
		assert_ok(unpack_payload(payload, UNPACK_MAX, &out, &len, &e), &e);
		assert_int_equal(len, PLAIN_LEN);
		assert_memory_equal(out, b->plain, PLAIN_LEN);
	}
}

static void test_size_must_be_true(void **state)
{
	struct buffers *b = *state;

	for (size_t i = 0; i < ARRAY_LEN(codecs); i++) {
		static const int32_t wrong[] = {-1, 1, -PLAIN_LEN + 1, 1000000};
		size_t packed = codecs[i].pack(b->plain, b->packed), len;
		uint8_t *out;

		for (size_t w = 0; w < ARRAY_LEN(wrong); w++) {
			struct verr e = VERR_INIT;

			put_le32(b->packed + packed - 4, (uint32_t)(PLAIN_LEN + wrong[w]));
			assert_fault(unpack_payload(bytes_of(b->packed, packed), UNPACK_MAX, &out,
						    &len, &e),
				     &e, VERR_INVALID, "is damaged, or does not unpack to");
			assert_non_null(strstr(e.text, codecs[i].name));
		}
	}
}

static void test_size_is_limited(void **state)
{
	struct buffers *b = *state;
	size_t packed = pack_zstd(b->plain, b->packed), len;
	struct verr over = VERR_INIT, huge = VERR_INIT, none = VERR_INIT;
	uint8_t *out;

	assert_fault(unpack_payload(bytes_of(b->packed, packed), PLAIN_LEN - 1, &out, &len, &over),
		     &over, VERR_INVALID, "unpacks to 300000 bytes: must be 1 to 299999");
	put_le32(b->packed + packed - 4, UINT32_MAX);
	assert_fault(unpack_payload(bytes_of(b->packed, packed), UNPACK_MAX, &out, &len, &huge),
		     &huge, VERR_INVALID, "unpacks to 4294967295 bytes");
	put_le32(b->packed + packed - 4, 0);
	assert_fault(unpack_payload(bytes_of(b->packed, packed), UNPACK_MAX, &out, &len, &none),
		     &none, VERR_INVALID, "unpacks to 0 bytes");
}

/* The bytes that are left keep the true size behind them. */
static void test_truncated_data_is_refused(void **state)
{
	struct buffers *b = *state;

	for (size_t i = 0; i < ARRAY_LEN(codecs); i++) {
		size_t packed = codecs[i].pack(b->plain, b->packed);

		for (size_t len = 0; len < packed - 4; len += len < 64 ? 1 : packed / 50 + 1) {
			auto_free uint8_t *cut = malloc(len + 4), *out = NULL;
			struct verr e = VERR_INIT;
			size_t out_len;

			memcpy(cut, b->packed, len);
			put_le32(cut + len, PLAIN_LEN);
			assert_int_equal(unpack_payload(bytes_of(cut, len + 4), UNPACK_MAX, &out,
							&out_len, &e),
					 -1);
			assert_int_equal(e.kind, VERR_INVALID);
		}
	}
}

static void test_flipped_bits_are_refused(void **state)
{
	struct buffers *b = *state;

	/* Not LZ4, whose legacy frame has no checksum. */
	for (size_t i = 0; i < ARRAY_LEN(codecs) - 1; i++) {
		size_t packed = codecs[i].pack(b->plain, b->packed), at = packed / 2, len;
		auto_free uint8_t *out = NULL;
		struct verr e = VERR_INIT;

		b->packed[at] ^= 0x10;
		if (unpack_payload(bytes_of(b->packed, packed), UNPACK_MAX, &out, &len, &e) == 0)
			assert_memory_not_equal(out, b->plain, PLAIN_LEN); /* zstd, unchecked */
		else
			assert_fault(-1, &e, VERR_INVALID, "is damaged");
	}
}

static void test_what_is_not_supported_is_named(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *cause;
	} cases[] = {
		{"BZh9xxxxxxxx", 12, "packed with bzip2, which is not supported"},
		{"\x5D\0\0\x80\0xxxxxxx", 12, "packed with lzma, which"},
		{"\x89LZO\0\r\n\x1A\nxxx", 12, "packed with lzo, which"},
		{"\x04\x22\x4D\x18xxxxxxxx", 12, "packed with lz4 in its newer frame"},
		{"\x7F"
		 "ELFxxxxxxxx",
		 12, "something unknown"},
		{"", 0, "something unknown"},
		{"\x02\x21\x4C\x18", 4, "lz4 data in it is damaged"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct verr e = VERR_INIT;
		uint8_t *out;
		size_t len;

		assert_fault(unpack_payload(bytes_of(cases[i].bytes, cases[i].len), UNPACK_MAX,
					    &out, &len, &e),
			     &e, VERR_INVALID, cases[i].cause);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_codec_unpacks),
		cmocka_unit_test(test_size_must_be_true),
		cmocka_unit_test(test_size_is_limited),
		cmocka_unit_test(test_truncated_data_is_refused),
		cmocka_unit_test(test_flipped_bits_are_refused),
		cmocka_unit_test(test_what_is_not_supported_is_named),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
