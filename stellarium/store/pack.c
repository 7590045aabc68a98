/* SPDX-License-Identifier: Apache-2.0 */
#include "stellarium/store/pack.h"

#include <stdio.h>
#include <stdlib.h>

#include "stellarium/chunk/cut.h"
#include "stellarium/chunk/hash.h"

static const char pack_magic[8] = {'S', 'T', 'E', 'L', 'P', 'A', 'C', 'K'};
static const char segment_magic[8] = {'S', 'T', 'E', 'L', 'S', 'E', 'G', '1'};

void pack_put_head(uint8_t out[PACK_PAGE], const struct seal_store *store, uint64_t id)
{
	uint8_t body[8];

	memset(out, 0, PACK_PAGE);
	put_le64(body, id);
	seal_put(out, pack_magic, store, bytes_of(body, sizeof(body)));
}

int pack_get_head(struct bytes page, const struct seal_store *store, uint64_t id, struct verr *e)
{
	struct bytes body;

	if (seal_get(page, pack_magic, store, &body, e) < 0)
		return -1;
	if (page.len != PACK_PAGE || body.len != 8)
		return verr_corrupt(e, "its first bytes are damaged");
	if (le64(body.at) != id)
		return verr_corrupt(e, "it has another pack's name");
	if (!chunk_is_zero(body.at + 8, PACK_PAGE - SEAL_HEAD - 8))
		return verr_corrupt(e, "its first page is damaged");
	return 0;
}

void pack_put_segment(uint8_t out[PACK_HEAD], const struct pack_segment *s)
{
	memset(out, 0, PACK_HEAD);
	memcpy(out, segment_magic, 8);
	put_le32(out + 8, s->count);
	put_le32(out + 12, s->data_at);
	put_le64(out + 16, s->len);
	put_le64(out + 24, s->checksum);
	put_le64(out + 56, chunk_checksum(out, 56));
}

bool pack_get_segment(struct bytes head, struct pack_segment *out)
{
	uint64_t table;

	if (head.len < PACK_HEAD || memcmp(head.at, segment_magic, 8) != 0 ||
	    le64(head.at + 56) != chunk_checksum(head.at, 56))
		return false;
	*out = (struct pack_segment){.count = le32(head.at + 8),
				     .data_at = le32(head.at + 12),
				     .len = le64(head.at + 16),
				     .checksum = le64(head.at + 24)};
	if (out->count == 0 || out->count > PACK_ENTRIES_MAX)
		return false;
	table = PACK_HEAD + (uint64_t)out->count * PACK_ENTRY;
	return align_up_u64(table, PACK_PAGE, &table) && out->data_at == table &&
	       out->len >= out->data_at && out->len <= PACK_SEGMENT_MAX &&
	       out->len % PACK_PAGE == 0;
}

void pack_put_entry(uint8_t out[PACK_ENTRY], const struct pack_entry *entry)
{
	memset(out, 0, PACK_ENTRY);
	memcpy(out, entry->id.bytes, sizeof(entry->id.bytes));
	put_le64(out + 32, entry->checksum);
	put_le32(out + 40, entry->raw);
	put_le32(out + 44, entry->stored);
	put_le32(out + 48, entry->at);
	out[52] = (uint8_t)entry->codec;
	out[53] = (uint8_t)entry->kind;
}

static bool get_entry(const uint8_t *in, struct pack_entry *out)
{
	memcpy(out->id.bytes, in, sizeof(out->id.bytes));
	out->checksum = le64(in + 32);
	out->raw = le32(in + 40);
	out->stored = le32(in + 44);
	out->at = le32(in + 48);
	out->codec = in[52];
	out->kind = in[53];
	return out->raw > 0 && out->raw <= CHUNK_MAX && out->stored > 0 &&
	       out->stored <= out->raw && in[52] >= STEL_CODEC_NONE && in[52] <= STEL_CODEC_ZSTD &&
	       (out->codec != STEL_CODEC_NONE || out->stored == out->raw) &&
	       (in[53] == PACK_DATA || in[53] == PACK_NODE) && chunk_is_zero(in + 54, 10);
}

bool pack_get_entries(struct bytes table, const struct pack_segment *s, struct pack_entry *out)
{
	uint64_t used = s->data_at;

	if (table.len != (size_t)s->count * PACK_ENTRY ||
	    chunk_checksum(table.at, table.len) != s->checksum)
		return false;
	for (uint32_t i = 0; i < s->count; i++) {
		if (!get_entry(table.at + (size_t)i * PACK_ENTRY, &out[i]) || out[i].at < used ||
		    !range_within(out[i].at, out[i].stored, s->len))
			return false;
		used = (uint64_t)out[i].at + out[i].stored;
	}
	return true;
}

void pack_name(uint64_t id, char out[PACK_NAME])
{
	(void)snprintf(out, PACK_NAME, "%016llx.pack", (unsigned long long)id);
}

bool pack_parse_name(const char *name, uint64_t *id)
{
	char again[PACK_NAME];

	*id = strtoull(name, NULL, 16);
	pack_name(*id, again);
	return *id != 0 && strcmp(name, again) == 0;
}
