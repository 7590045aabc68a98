/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A payload ends with the size it unpacks to: gzip has that of its own, for the others the kernel's
 * build appends it. So one buffer of that size is all the memory there is to be written, and a
 * kernel that comes out longer or shorter is damaged.
 */
#include "volt/unpack.h"

#include <lz4.h>
#include <lzma.h>
#include <stdbool.h>
#include <zlib.h>
#include <zstd.h>

#include "base/own.h"

#define SIZE_FIELD 4

/* Kernels are packed with dictionaries of at most 128 MiB. */
#define XZ_MEMORY_MAX MIB(256)

/* The legacy LZ4 frame: blocks of this many bytes, each behind its packed length. */
#define LZ4_MAGIC 4
#define LZ4_BLOCK MIB(8)

/* Fill `out` exactly from `in`; false when that is not what comes out. */
typedef bool unpack_fn(struct bytes in, uint8_t *out, size_t len);

static bool unpack_gzip(struct bytes in, uint8_t *out, size_t len)
{
	/* zlib leaves its input alone, but for old compilers' sake does not say so. */
	z_stream z = {.next_in = (Bytef *)(uintptr_t)in.at,
		      .avail_in = (uInt)in.len,
		      .next_out = out,
		      .avail_out = (uInt)len};
	bool whole;

	if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
		return false;
	whole = inflate(&z, Z_FINISH) == Z_STREAM_END && z.avail_out == 0;
	(void)inflateEnd(&z);
	return whole;
}

static bool unpack_xz(struct bytes in, uint8_t *out, size_t len)
{
	uint64_t memory = XZ_MEMORY_MAX;
	size_t from = 0, to = 0;

	return lzma_stream_buffer_decode(&memory, 0, NULL, in.at, &from, in.len, out, &to, len) ==
		       LZMA_OK &&
	       to == len;
}

static bool unpack_zstd(struct bytes in, uint8_t *out, size_t len)
{
	/* One frame, as kernels have it; the library would go on through older formats. */
	return ZSTD_findFrameCompressedSize(in.at, in.len) == in.len &&
	       ZSTD_decompress(out, len, in.at, in.len) == len;
}

static bool unpack_lz4(struct bytes in, uint8_t *out, size_t len)
{
	uint64_t at = LZ4_MAGIC;
	uint32_t packed;
	size_t to = 0;

	while (to < len) {
		int room = (int)MIN(len - to, LZ4_BLOCK), n;

		if (!bytes_u32(in, at, &packed))
			return false;
		at += sizeof(packed);
		if (packed > INT32_MAX || !range_within(at, packed, in.len))
			return false;
		n = LZ4_decompress_safe((const char *)in.at + at, (char *)out + to, (int)packed,
					room);
		if (n <= 0)
			return false;
		at += packed;
		to += (size_t)n;
	}
	return at == in.len;
}

static const struct codec {
	const char *name;
	const char *magic;
	size_t magic_len;
	unpack_fn *unpack; /* NULL: known, not supported */
	bool own_size;     /* the size is part of the format, not behind it */
} codecs[] = {
	{"gzip", "\x1F\x8B\x08", 3, unpack_gzip, true},
	{"xz", "\xFD\x37zXZ\0", 6, unpack_xz, false},
	{"zstd", "\x28\xB5\x2F\xFD", 4, unpack_zstd, false},
	{"lz4", "\x02\x21\x4C\x18", 4, unpack_lz4, false},
	{"lz4 in its newer frame", "\x04\x22\x4D\x18", 4, NULL, false},
	{"bzip2", "BZh", 3, NULL, false},
	{"lzma", "\x5D\0\0", 3, NULL, false},
	{"lzo", "\x89LZO", 4, NULL, false},
};

static const struct codec *find_codec(struct bytes payload)
{
	for (size_t i = 0; i < ARRAY_LEN(codecs); i++)
		if (payload.len >= codecs[i].magic_len &&
		    memcmp(payload.at, codecs[i].magic, codecs[i].magic_len) == 0)
			return &codecs[i];
	return NULL;
}

const char *unpack_name(struct bytes payload)
{
	const struct codec *codec = find_codec(payload);

	return codec != NULL ? codec->name : NULL;
}

int unpack_payload(struct bytes payload, uint64_t limit, uint8_t **out, size_t *len, struct verr *e)
{
	const struct codec *codec = find_codec(payload);
	auto_free uint8_t *buffer = NULL;
	struct bytes in = payload;
	uint32_t size;

	if (codec == NULL)
		return verr_invalid(e, "the kernel in it is packed with something unknown");
	if (codec->unpack == NULL)
		return verr_invalid(e,
				    "the kernel in it is packed with %s, which is not supported: "
				    "gzip, xz, zstd and lz4 are",
				    codec->name);
	if (payload.len <= SIZE_FIELD)
		return verr_invalid(e, "the %s data in it is damaged", codec->name);
	size = le32(payload.at + payload.len - SIZE_FIELD);
	if (size == 0 || size > limit)
		return verr_invalid(e, "it says that it unpacks to %u bytes: must be 1 to %llu",
				    size, (unsigned long long)limit);
	if (!codec->own_size)
		in.len -= SIZE_FIELD;
	buffer = malloc(size);
	if (buffer == NULL)
		return verr_host(e, "out of memory: %u bytes to unpack to", size);
	if (!codec->unpack(in, buffer, size))
		return verr_invalid(e,
				    "the %s data in it is damaged, or does not unpack to the %u "
				    "bytes it says",
				    codec->name, size);
	*out = ptr_take(buffer);
	*len = size;
	return 0;
}
