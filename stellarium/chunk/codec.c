/* SPDX-License-Identifier: Apache-2.0 */
#include "stellarium/chunk/codec.h"

#include <lz4.h>
#include <stdlib.h>
#include <zstd.h>

struct chunk_codec {
	ZSTD_CCtx *compress;
};

int chunk_codec_new(struct chunk_codec **out, struct verr *e)
{
	struct chunk_codec *c = calloc(1, sizeof(*c));

	if (c != NULL)
		c->compress = ZSTD_createCCtx();
	if (c == NULL || c->compress == NULL) {
		(void)chunk_codec_free(c);
		return verr_host(e, "out of memory");
	}
	*out = c;
	return 0;
}

struct chunk_codec *chunk_codec_free(struct chunk_codec *c)
{
	if (c != NULL) {
		(void)ZSTD_freeCCtx(c->compress);
		free(c);
	}
	return NULL;
}

size_t chunk_compress(struct chunk_codec *c, enum stel_codec codec, int level, struct bytes raw,
		      uint8_t *out)
{
	size_t room = raw.len - 1, n = 0;
	int packed;

	if (raw.len < 2)
		return 0;
	switch (codec) {
	case STEL_CODEC_NONE:
		break;
	case STEL_CODEC_LZ4:
		packed = LZ4_compress_default((const char *)raw.at, (char *)out, (int)raw.len,
					      (int)room);
		n = packed > 0 ? (size_t)packed : 0;
		break;
	case STEL_CODEC_ZSTD:
		n = ZSTD_compressCCtx(c->compress, out, room, raw.at, raw.len, level);
		if (ZSTD_isError(n))
			n = 0; /* there was no room: it would not have become smaller */
		break;
	}
	return n;
}

const char *stel_codec_name(enum stel_codec codec)
{
	static const char *const names[] = {
		[STEL_CODEC_NONE] = "none", [STEL_CODEC_LZ4] = "lz4", [STEL_CODEC_ZSTD] = "zstd"};

	if ((size_t)codec >= ARRAY_LEN(names) || names[codec] == NULL)
		return "unknown";
	return names[codec];
}
