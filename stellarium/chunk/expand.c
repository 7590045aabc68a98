/* SPDX-License-Identifier: Apache-2.0 */
#include "stellarium/chunk/expand.h"

#include <lz4.h>
#include <zstd.h>

int chunk_expander_new(struct chunk_expander **out, struct verr *e)
{
	*out = (struct chunk_expander *)ZSTD_createDCtx();
	return *out == NULL ? verr_host(e, "out of memory") : 0;
}

struct chunk_expander *chunk_expander_free(struct chunk_expander *x)
{
	(void)ZSTD_freeDCtx((ZSTD_DCtx *)x);
	return NULL;
}

bool chunk_expand(struct chunk_expander *x, enum stel_codec codec, struct bytes stored,
		  uint8_t *out, size_t len)
{
	switch (codec) {
	case STEL_CODEC_NONE:
		if (stored.len != len)
			return false;
		memcpy(out, stored.at, len);
		return true;
	case STEL_CODEC_LZ4:
		return LZ4_decompress_safe((const char *)stored.at, (char *)out, (int)stored.len,
					   (int)len) == (int)len;
	case STEL_CODEC_ZSTD:
		return ZSTD_decompressDCtx((ZSTD_DCtx *)x, out, len, stored.at, stored.len) == len;
	}
	return false;
}
