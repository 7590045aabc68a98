/* SPDX-License-Identifier: Apache-2.0 */
#include "stellarium/image/split.h"

/* The length of the unit at `at`: shorter at the image's end; 0: it is not all here. */
static size_t unit_at(const struct split *s, size_t at, uint64_t unit)
{
	size_t left = s->len - at;

	return left >= unit ? (size_t)unit : s->whole ? left : 0;
}

/* Zero units from here on; true if there are any, or if that cannot be told yet (len 0). */
static bool zero_run(struct split *s, uint64_t unit, struct split_piece *out)
{
	size_t at = s->at, n;

	if ((s->offset + at) % unit != 0)
		return false;
	while (at < s->len) {
		n = unit_at(s, at, unit);
		if (n == 0 || !chunk_is_zero(s->data + at, n))
			break;
		at += n;
	}
	*out = (struct split_piece){.zero = true, .len = at - s->at};
	return out->len > 0;
}

/* Where the bytes that are no zero pages end: at most `limit`. */
static size_t extent_end(struct split *s, size_t limit)
{
	uint64_t past = (s->offset + s->at) % CHUNK_PAGE;
	size_t at = MAX(s->known, past == 0 ? s->at : s->at + CHUNK_PAGE - (size_t)past);

	for (; at < limit; at += CHUNK_PAGE) {
		size_t n = unit_at(s, at, CHUNK_PAGE);

		if (n == 0 || chunk_is_zero(s->data + at, n))
			break;
	}
	s->known = at;
	return MIN(at, limit);
}

static bool next_fixed(struct split *s, struct split_piece *out)
{
	size_t n = unit_at(s, s->at, s->cut->how.max);

	*out = (struct split_piece){.at = s->at, .len = n};
	return n > 0;
}

static bool next_chunk(struct split *s, struct split_piece *out)
{
	size_t limit = MIN(s->len, s->at + s->cut->how.max), end = extent_end(s, limit);
	/* It ends at a zero page, or where everything does. */
	bool whole = end < limit ? unit_at(s, end, CHUNK_PAGE) > 0 : s->whole && end == s->len;
	size_t n = chunk_cut_next(s->cut, s->data + s->at, end - s->at, whole);

	*out = (struct split_piece){.at = s->at, .len = n};
	return n > 0;
}

bool split_next(struct split *s, struct split_piece *out)
{
	bool fixed = s->cut->how.method == STEL_CUT_FIXED, some;

	if (s->at == s->len)
		return false;
	some = zero_run(s, split_unit(&s->cut->how), out) ||
	       (fixed ? next_fixed(s, out) : next_chunk(s, out));
	if (some)
		s->at += (size_t)out->len;
	return some;
}
