/* SPDX-License-Identifier: Apache-2.0 */
#include "stellarium/volume/overlay_format.h"

#include "stellarium/chunk/cut.h"
#include "stellarium/chunk/hash.h"

#define BODY_FIXED (16 + STEL_ID_BYTES)
#define SLOT_MAP 32
#define SLOT_TAIL (OVERLAY_PAGE - 8)

_Static_assert(SLOT_MAP + OVERLAY_WORDS * 8 + 24 == SLOT_TAIL, "a slot's bytes");
_Static_assert(SEAL_HEAD + BODY_FIXED + 2 + OVERLAY_REFERENCE + STEL_NAME_MAX <= SEAL_MAX,
	       "a head fits into a seal");

static const char magic[8] = {'S', 'T', 'E', 'L', 'O', 'V', 'E', 'R'};

static size_t put_text(uint8_t *out, const char *text)
{
	out[0] = (uint8_t)strlen(text);
	memcpy(out + 1, text, out[0]);
	return 1 + (size_t)out[0];
}

/* The mark of another place is none. */
static uint64_t mark_checksum(const uint8_t *mark, uint64_t number)
{
	uint8_t both[16];

	memcpy(both, mark, 8);
	put_le64(both + 8, OVERLAY_MARK_AT(number));
	return chunk_checksum(both, sizeof(both));
}

void overlay_put_mark(uint8_t out[OVERLAY_MARK], uint64_t number)
{
	put_le64(out, number);
	put_le64(out + 8, mark_checksum(out, number));
}

void overlay_put_head(uint8_t out[OVERLAY_PAGE], const struct overlay_head *head)
{
	uint8_t body[SEAL_MAX];
	size_t len = BODY_FIXED;

	put_le64(body, head->size);
	put_le32(body + 8, OVERLAY_PAGE);
	put_le32(body + 12, 0);
	memcpy(body + 16, head->image.bytes, STEL_ID_BYTES);
	len += put_text(body + len, head->reference);
	len += put_text(body + len, head->name);
	memset(out, 0, OVERLAY_PAGE);
	seal_put(out, magic, &head->store, bytes_of(body, len));
	overlay_put_mark(out + OVERLAY_MARK_AT(0), 0);
}

/* A name as the store has them, or none. */
static bool get_text(struct bytes body, uint64_t *at, char *out, size_t room)
{
	struct verr e = VERR_INIT;
	uint8_t len;

	if (!bytes_u8(body, *at, &len) || len >= room || !bytes_copy(body, *at + 1, out, len))
		return false;
	out[len] = '\0';
	*at += 1 + (uint64_t)len;
	return strlen(out) == len && (len == 0 || stel_check_name(out, &e) == 0);
}

static bool get_mark(struct bytes page, uint64_t parity, uint64_t *number)
{
	const uint8_t *mark = page.at + OVERLAY_MARK_AT(parity);

	*number = le64(mark);
	return *number % 2 == parity && le64(mark + 8) == mark_checksum(mark, parity);
}

static bool rest_is_zero(struct bytes page, size_t used)
{
	size_t first = OVERLAY_MARK_AT(0), second = OVERLAY_MARK_AT(1);

	return chunk_is_zero(page.at + used, first - used) &&
	       chunk_is_zero(page.at + first + OVERLAY_MARK, second - first - OVERLAY_MARK) &&
	       chunk_is_zero(page.at + second + OVERLAY_MARK, OVERLAY_PAGE - second - OVERLAY_MARK);
}

int overlay_get_head(struct bytes page, const struct seal_store *store, struct overlay_head *out,
		     uint64_t *mark, struct verr *e)
{
	uint64_t at = BODY_FIXED, numbers[2];
	bool good[2];
	struct bytes body;

	if (page.len != OVERLAY_PAGE)
		return verr_corrupt(e, "it is cut short");
	if (seal_get(page, magic, store, &body, e) < 0)
		return -1;
	out->store = seal_whose(page);
	if (body.len < BODY_FIXED || le32(body.at + 8) != OVERLAY_PAGE || le32(body.at + 12) != 0)
		return verr_corrupt(e, "its first bytes are not what is known");
	out->size = le64(body.at);
	memcpy(out->image.bytes, body.at + 16, STEL_ID_BYTES);
	if (!get_text(body, &at, out->reference, sizeof(out->reference)) ||
	    !get_text(body, &at, out->name, sizeof(out->name)) || at != body.len ||
	    out->size == 0 || out->size > INT64_MAX / 2)
		return verr_corrupt(e, "its first bytes are not what is known");
	for (uint64_t i = 0; i < 2; i++)
		good[i] = get_mark(page, i, &numbers[i]);
	if (!good[0] && !good[1])
		return verr_corrupt(e, "both of its marks are damaged");
	if (!rest_is_zero(page, SEAL_HEAD + body.len))
		return verr_corrupt(e, "its first page is damaged");
	*mark = MAX(good[0] ? numbers[0] : 0, good[1] ? numbers[1] : 0);
	return 0;
}

static uint64_t slot_checksum(const uint8_t *slot)
{
	uint8_t both[16];

	memcpy(both, slot, 8);
	put_le64(both + 8, chunk_checksum(slot + 16, OVERLAY_PAGE - 16));
	return chunk_checksum(both, sizeof(both));
}

void overlay_put_slot(uint8_t out[OVERLAY_PAGE], uint64_t block, uint64_t number,
		      const uint64_t map[OVERLAY_WORDS])
{
	memset(out, 0, OVERLAY_PAGE);
	put_le64(out, number);
	put_le64(out + 16, block);
	for (size_t i = 0; i < OVERLAY_WORDS; i++)
		put_le64(out + SLOT_MAP + 8 * i, map[i]);
	put_le64(out + SLOT_TAIL, number);
	put_le64(out + 8, slot_checksum(out));
}

enum slot_kind { SLOT_EMPTY, SLOT_GOOD, SLOT_BAD };

/* What a slot says about itself. The numbers of a bad one are those of its two ends. */
struct slot {
	enum slot_kind kind;
	uint64_t first, last;
};

static struct slot look(const uint8_t *in, uint64_t block)
{
	struct slot s = {.kind = SLOT_BAD, .first = le64(in), .last = le64(in + SLOT_TAIL)};

	if (chunk_is_zero(in, OVERLAY_PAGE))
		s.kind = SLOT_EMPTY;
	else if (s.first == s.last && s.first != 0 && le64(in + 8) == slot_checksum(in) &&
		 le64(in + 16) == block)
		s.kind = SLOT_GOOD;
	return s;
}

/* Could this bad slot have had what counts? `number` is the other slot's, 0 when it has none. */
static bool is_lost(const struct slot *s, uint64_t number, uint64_t mark)
{
	bool torn = s->first == mark + 1 || s->last == mark + 1;
	bool older = s->first <= number && s->last <= number;

	return !torn && !older;
}

/* Two bits that mean nothing, or pages that the disk does not have. */
static bool is_map(const uint64_t map[OVERLAY_WORDS], uint64_t pages)
{
	for (uint64_t i = 0; i < OVERLAY_WORDS; i++) {
		uint64_t past = i * 32 >= pages       ? UINT64_MAX
				: pages - i * 32 < 32 ? UINT64_MAX << 2 * (pages - i * 32)
						      : 0;

		if ((map[i] & map[i] >> 1 & 0x5555555555555555) != 0 || (map[i] & past) != 0)
			return false;
	}
	return true;
}

int overlay_get_block(const uint8_t slots[2 * OVERLAY_PAGE], uint64_t block, uint64_t mark,
		      uint64_t pages, struct overlay_block *out, uint64_t map[OVERLAY_WORDS],
		      struct verr *e)
{
	const struct slot both[2] = {look(slots, block), look(slots + OVERLAY_PAGE, block)};
	const uint8_t *in;

	*out = (struct overlay_block){0};
	memset(map, 0, OVERLAY_WORDS * sizeof(*map));
	for (unsigned int i = 0; i < 2; i++) {
		if (both[i].kind == SLOT_GOOD && both[i].first > out->number) {
			out->number = both[i].first;
			out->current = i;
		}
	}
	for (unsigned int i = 0; i < 2; i++) {
		out->torn |= both[i].kind == SLOT_BAD;
		if (both[i].kind == SLOT_BAD && is_lost(&both[i], out->number, mark))
			return verr_corrupt(e, "its map of pages is damaged, in block %llu",
					    (unsigned long long)block);
	}
	if (out->number > mark + 1)
		return verr_corrupt(e, "block %llu of its map is younger than it can be",
				    (unsigned long long)block);
	if (out->number == 0)
		return 0;
	in = slots + (size_t)out->current * OVERLAY_PAGE + SLOT_MAP;
	for (size_t i = 0; i < OVERLAY_WORDS; i++)
		map[i] = le64(in + 8 * i);
	if (!is_map(map, pages))
		return verr_corrupt(e, "block %llu of its map of pages makes no sense",
				    (unsigned long long)block);
	return 0;
}
