/* SPDX-License-Identifier: Apache-2.0 */
#include "stellarium/chunk/cut.h"

#include <string.h>
#include <xxhash.h>

struct stel_cutting stel_cutting_usual(enum stel_method method)
{
	switch (method) {
	case STEL_CUT_PAGE:
		return (struct stel_cutting){method, CHUNK_PAGE, KIB(16), MIB(2)};
	case STEL_CUT_FASTCDC:
		return (struct stel_cutting){method, KIB(16), KIB(64), KIB(512)};
	case STEL_CUT_FIXED:
		break;
	}
	return (struct stel_cutting){STEL_CUT_FIXED, MIB(2), MIB(2), MIB(2)};
}

const char *stel_method_name(enum stel_method method)
{
	static const char *const names[] = {[STEL_CUT_PAGE] = "page",
					    [STEL_CUT_FASTCDC] = "fastcdc",
					    [STEL_CUT_FIXED] = "fixed"};

	if ((size_t)method >= ARRAY_LEN(names) || names[method] == NULL)
		return "unknown";
	return names[method];
}

static bool is_size(uint32_t n)
{
	return n >= CHUNK_PAGE && n <= CHUNK_MAX && (n & (n - 1)) == 0;
}

int chunk_cut_check(const struct stel_cutting *how, struct verr *e)
{
	if (how->method != STEL_CUT_PAGE && how->method != STEL_CUT_FASTCDC &&
	    how->method != STEL_CUT_FIXED)
		return verr_invalid(e, "%d: not a way to cut", how->method);
	if (!is_size(how->min) || !is_size(how->average) || !is_size(how->max))
		return verr_invalid(e, "sizes of chunks are powers of two from 4K to 16M");
	if (how->min > how->average || how->average > how->max)
		return verr_invalid(e, "sizes of chunks: the least, the average and the most must "
				       "be in this order");
	if (how->method == STEL_CUT_FIXED && how->min != how->max)
		return verr_invalid(e, "sizes of chunks: fixed means one");
	return 0;
}

/* The numbers of the gear hash: splitmix64 from a fixed start. Part of the format: another table
 * would cut elsewhere. */
static uint64_t next_number(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* `bits` ones below the top bit, which the shifted step needs. The top of the hash depends on the
 * most bytes. */
static uint64_t mask_of(int bits)
{
	return ((UINT64_C(1) << bits) - 1) << (63 - bits);
}

void chunk_cut_init(struct chunk_cut *c, const struct stel_cutting *how)
{
	uint64_t state = 0x5374656c6c617231; /* "Stellar1" */
	int bits = __builtin_ctz(how->average);

	c->how = *how;
	if (how->method == STEL_CUT_PAGE) {
		c->strict = how->average / CHUNK_PAGE - 1;
		return;
	}
	c->strict = mask_of(bits + 2);
	c->loose = mask_of(bits - 2);
	for (size_t i = 0; i < ARRAY_LEN(c->gear); i++) {
		c->gear[i] = next_number(&state);
		c->gear_left[i] = c->gear[i] << 1;
	}
}

bool chunk_is_zero(const uint8_t *data, size_t len)
{
	return len == 0 || (data[0] == 0 && memcmp(data, data + 1, len - 1) == 0);
}

/* A page that is cut short by the end of the data ends the chunk with it. */
static size_t cut_page(const struct chunk_cut *c, const uint8_t *data, size_t len)
{
	for (size_t at = 0; at + CHUNK_PAGE <= len;) {
		uint64_t hash = XXH3_64bits(data + at, CHUNK_PAGE);

		at += CHUNK_PAGE;
		if (at >= c->how.min && (hash & c->strict) == 0)
			return at;
	}
	return 0;
}

/*
 * Roll from `at` to `end`, both even; returns the length of the chunk, or 0. The hash after the
 * first byte of two is half-way: shifted by one more than it should be, as are mask and table.
 */
static size_t roll(const struct chunk_cut *c, const uint8_t *data, size_t at, size_t end,
		   uint64_t mask, uint64_t *hash)
{
	uint64_t h = *hash, mask_left = mask << 1;

	for (; at < end; at += 2) {
		h = (h << 2) + c->gear_left[data[at]];
		if ((h & mask_left) == 0)
			return at + 1;
		h += c->gear[data[at + 1]];
		if ((h & mask) == 0)
			return at + 2;
	}
	*hash = h;
	return 0;
}

static size_t cut_fastcdc(const struct chunk_cut *c, const uint8_t *data, size_t len)
{
	size_t even = len & ~(size_t)1, middle = MIN(even, c->how.average), n;
	uint64_t hash = 0;

	if (len <= c->how.min)
		return 0;
	n = roll(c, data, c->how.min, middle, c->strict, &hash);
	return n != 0 ? n : roll(c, data, MAX(middle, c->how.min), even, c->loose, &hash);
}

size_t chunk_cut_next(const struct chunk_cut *c, const uint8_t *data, size_t len, bool whole)
{
	size_t most = MIN(len, c->how.max), n = 0;

	switch (c->how.method) {
	case STEL_CUT_PAGE:
		n = cut_page(c, data, most);
		break;
	case STEL_CUT_FASTCDC:
		n = cut_fastcdc(c, data, most);
		break;
	case STEL_CUT_FIXED:
		break;
	}
	if (n == 0 && (whole || len >= c->how.max))
		n = most;
	return n;
}
