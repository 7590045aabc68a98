/* SPDX-License-Identifier: Apache-2.0 */
#include "stellarium/store/options.h"

#include "stellarium/chunk/cut.h"

#define TAG_CUTTING 1
#define TAG_CODEC 2

static const char magic[8] = {'S', 'T', 'E', 'L', 'S', 'T', 'O', 'R'};

int options_check(const struct stel_options *o, struct verr *e)
{
	if (chunk_cut_check(&o->cut, e) < 0)
		return -1;
	if (o->codec != STEL_CODEC_NONE && o->codec != STEL_CODEC_LZ4 &&
	    o->codec != STEL_CODEC_ZSTD)
		return verr_invalid(e, "%d: not a codec", o->codec);
	if (o->codec == STEL_CODEC_ZSTD && (o->level < 1 || o->level > 19))
		return verr_invalid(e, "%d: zstd's levels are 1 to 19", o->level);
	return 0;
}

void options_put_cutting(uint8_t out[OPTIONS_CUTTING], const struct stel_cutting *cut)
{
	out[0] = (uint8_t)cut->method;
	put_le32(out + 1, cut->min);
	put_le32(out + 5, cut->average);
	put_le32(out + 9, cut->max);
}

int options_get_cutting(const uint8_t in[OPTIONS_CUTTING], struct stel_cutting *cut, struct verr *e)
{
	struct verr why = VERR_INIT;

	*cut = (struct stel_cutting){
		.method = in[0], .min = le32(in + 1), .average = le32(in + 5), .max = le32(in + 9)};
	return chunk_cut_check(cut, &why) < 0 ? verr_corrupt(e, "%s", why.text) : 0;
}

size_t options_put(uint8_t out[OPTIONS_FILE], const struct seal_store *store,
		   const struct stel_options *o)
{
	uint8_t body[4 + OPTIONS_CUTTING + 4 + 2];

	put_le16(body, TAG_CUTTING);
	put_le16(body + 2, OPTIONS_CUTTING);
	options_put_cutting(body + 4, &o->cut);
	put_le16(body + 4 + OPTIONS_CUTTING, TAG_CODEC);
	put_le16(body + 6 + OPTIONS_CUTTING, 2);
	body[8 + OPTIONS_CUTTING] = (uint8_t)o->codec;
	body[9 + OPTIONS_CUTTING] = (uint8_t)o->level;
	seal_put(out, magic, store, bytes_of(body, sizeof(body)));
	return SEAL_HEAD + sizeof(body);
}

static int get_field(uint16_t tag, struct bytes value, struct stel_options *o, struct verr *e)
{
	switch (tag) {
	case TAG_CUTTING:
		if (value.len != OPTIONS_CUTTING)
			break;
		return options_get_cutting(value.at, &o->cut, e);
	case TAG_CODEC:
		if (value.len != 2)
			break;
		o->codec = value.at[0];
		o->level = value.at[1];
		return 0;
	default:
		return verr_corrupt(e, "field %u is not known: made by a later version?", tag);
	}
	return verr_corrupt(e, "field %u has a wrong length", tag);
}

int options_get(struct bytes file, struct seal_store *store, struct stel_options *o, struct verr *e)
{
	struct verr why = VERR_INIT;
	struct bytes body;
	uint64_t at = 0;
	uint16_t tag, len;

	*o = (struct stel_options){0};
	if (seal_get(file, magic, NULL, &body, e) < 0)
		return -1;
	*store = seal_whose(file);
	if (file.len != SEAL_HEAD + body.len)
		return verr_corrupt(e, "there are bytes after its end");
	while (at < body.len) {
		if (!bytes_u16(body, at, &tag) || !bytes_u16(body, at + 2, &len) ||
		    !range_within(at + 4, len, body.len))
			return verr_corrupt(e, "a field is cut short");
		if (get_field(tag, bytes_of(body.at + at + 4, len), o, e) < 0)
			return -1;
		at += 4 + (uint64_t)len;
	}
	return options_check(o, &why) < 0 ? verr_corrupt(e, "%s", why.text) : 0;
}
