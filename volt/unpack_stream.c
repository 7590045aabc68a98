/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nothing says beforehand how much comes out, or it says so untruly: the buffer doubles until all
 * of it fits, or the limit is reached. A buffer that is too small is the only reason to try again.
 */
#include "volt/unpack_stream.h"

#include <lzma.h>
#include <stdbool.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/own.h"

#define XZ_MEMORY_MAX MIB(256)

enum stream_result { STREAM_WHOLE, STREAM_FULL, STREAM_DAMAGED };

/* Unpack all of `in` to `out`, which has room for *len bytes; *len becomes what was used of it. */
typedef enum stream_result stream_fn(struct bytes in, uint8_t *out, size_t *len);

static enum stream_result unpack_gzip(struct bytes in, uint8_t *out, size_t *len)
{
	z_stream z = {.next_in = (Bytef *)(uintptr_t)in.at,
		      .avail_in = (uInt)in.len,
		      .next_out = out,
		      .avail_out = (uInt)*len};
	int r;

	if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
		return STREAM_DAMAGED;
	r = inflate(&z, Z_FINISH);
	*len = z.total_out;
	(void)inflateEnd(&z);
	if (r == Z_STREAM_END)
		return z.avail_in == 0 ? STREAM_WHOLE : STREAM_DAMAGED;
	return (r == Z_OK || r == Z_BUF_ERROR) && z.avail_out == 0 ? STREAM_FULL : STREAM_DAMAGED;
}

static enum stream_result unpack_xz(struct bytes in, uint8_t *out, size_t *len)
{
	uint64_t memory = XZ_MEMORY_MAX;
	size_t from = 0, to = 0;
	lzma_ret r =
		lzma_stream_buffer_decode(&memory, 0, NULL, in.at, &from, in.len, out, &to, *len);

	*len = to;
	if (r == LZMA_OK)
		return from == in.len ? STREAM_WHOLE : STREAM_DAMAGED;
	return r == LZMA_BUF_ERROR ? STREAM_FULL : STREAM_DAMAGED;
}

static enum stream_result unpack_zstd(struct bytes in, uint8_t *out, size_t *len)
{
	size_t n;

	if (ZSTD_findFrameCompressedSize(in.at, in.len) != in.len)
		return STREAM_DAMAGED;
	n = ZSTD_decompress(out, *len, in.at, in.len);
	if (!ZSTD_isError(n)) {
		*len = n;
		return STREAM_WHOLE;
	}
	return ZSTD_getErrorCode(n) == ZSTD_error_dstSize_tooSmall ? STREAM_FULL : STREAM_DAMAGED;
}

static enum stream_result copy_plain(struct bytes in, uint8_t *out, size_t *len)
{
	if (in.len > *len)
		return STREAM_FULL;
	if (in.len > 0)
		memcpy(out, in.at, in.len);
	*len = in.len;
	return STREAM_WHOLE;
}

static const struct stream {
	const char *name;
	const char *magic;
	size_t magic_len;
	stream_fn *unpack;
} streams[] = {
	{"gzip", "\x1F\x8B\x08", 3, unpack_gzip},
	{"xz", "\xFD\x37zXZ\0", 6, unpack_xz},
	{"zstd", "\x28\xB5\x2F\xFD", 4, unpack_zstd},
	{"plain", "", 0, copy_plain},
};

static const struct stream *find_stream(struct bytes file)
{
	const struct stream *s = streams;

	while (file.len < s->magic_len || memcmp(file.at, s->magic, s->magic_len) != 0)
		s++;
	return s;
}

int unpack_stream(struct bytes file, uint64_t limit, uint8_t **out, size_t *len, struct verr *e)
{
	const struct stream *s = find_stream(file);
	auto_free uint8_t *buffer = NULL;

	/* Three times is what modules usually take. */
	for (uint64_t room = MIN(MAX(KIB(64), file.len * 3), limit);; room = MIN(room * 2, limit)) {
		free(buffer);
		buffer = malloc(room + 1);
		*len = room;
		if (buffer == NULL)
			return verr_host(e, "out of memory");
		switch (s->unpack(file, buffer, len)) {
		case STREAM_WHOLE:
			*out = ptr_take(buffer);
			return 0;
		case STREAM_DAMAGED:
			return verr_invalid(e, "the %s data in it is damaged", s->name);
		case STREAM_FULL:
			break;
		}
		if (room == limit)
			return verr_invalid(e,
					    "the %s data in it is damaged, or more than %llu bytes",
					    s->name, (unsigned long long)limit);
	}
}
