/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes to a state file that leave its frame whole: without this, most of what libFuzzer does to
 * one is a length that does not fit, and ends there.
 */
#ifndef VOLT_FUZZ_STATE_MUTATE_H
#define VOLT_FUZZ_STATE_MUTATE_H

#include "base/bytes.h"
#include "vmm/state/state_test.h"

#define MUTATE_FIELD_HEAD 8U
#define MUTATE_RECORD 7
#define MUTATE_TRIES 64

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

/* A place in a file, and the lengths that say so of what it is in. */
struct mutate_place {
	size_t at, len;
	size_t lengths[8]; /* places of u32, the outermost first */
	unsigned nlengths;
	size_t section;
};

static inline uint32_t mutate_next(uint32_t *seed)
{
	*seed = *seed * 1664525U + 1013904223U;
	return *seed >> 8;
}

/* Any section of the file; false: it has none. */
static inline bool mutate_section(const uint8_t *file, size_t len, uint32_t *seed,
				  struct mutate_place *out)
{
	size_t at = HEAD_LEN, seen = 0;

	while (range_within(at, SECTION_HEAD_LEN, len)) {
		uint64_t body = le64(file + at + SECTION_LENGTH);

		if (body > len || !range_within(at + SECTION_HEAD_LEN, padded(body), len))
			break;
		if (mutate_next(seed) % ++seen == 0)
			*out = (struct mutate_place){
				.at = at + SECTION_HEAD_LEN, .len = body, .section = at};
		at += SECTION_HEAD_LEN + padded(body);
	}
	return seen > 0;
}

/* Any field of those at `p`, which becomes its value, with what type; 0: these are no fields. */
static inline uint8_t mutate_field(const uint8_t *file, uint32_t *seed, struct mutate_place *p)
{
	size_t at = p->at, end = p->at + p->len, found = 0, seen = 0;

	while (range_within(at, MUTATE_FIELD_HEAD, end)) {
		uint32_t len = le32(file + at + 4);

		if (!range_within(at + MUTATE_FIELD_HEAD, len, end))
			return 0;
		if (mutate_next(seed) % ++seen == 0)
			found = at;
		at += MUTATE_FIELD_HEAD + len;
	}
	if (seen == 0 || at != end)
		return 0;
	p->lengths[p->nlengths++] = found + 4;
	p->at = found + MUTATE_FIELD_HEAD;
	p->len = le32(file + found + 4);
	return file[found + 2];
}

/* Any of the records at `p`, likewise. */
static inline bool mutate_record(const uint8_t *file, uint32_t *seed, struct mutate_place *p)
{
	size_t at = p->at, end = p->at + p->len, found = 0, seen = 0;

	while (range_within(at, 4, end)) {
		uint32_t len = le32(file + at);

		if (!range_within(at + 4, len, end))
			return false;
		if (mutate_next(seed) % ++seen == 0)
			found = at;
		at += 4 + len;
	}
	if (seen == 0)
		return false;
	p->lengths[p->nlengths++] = found;
	p->at = found + 4;
	p->len = le32(file + found);
	return true;
}

/* Only the first `len` bytes of what is at `p` stay: what is behind it moves, and lengths follow.
 */
static inline size_t mutate_shorten(uint8_t *file, size_t size, const struct mutate_place *p,
				    size_t len)
{
	uint64_t old = le64(file + p->section + SECTION_LENGTH), now = old - p->len + len;
	size_t body = p->section + SECTION_HEAD_LEN, next = body + padded(old);

	memmove(file + p->at + len, file + p->at + p->len, body + old - p->at - p->len);
	memset(file + body + now, 0, padded(now) - now);
	memmove(file + body + padded(now), file + next, size - next);
	for (unsigned i = 0; i < p->nlengths; i++)
		put_le32(file + p->lengths[i],
			 (uint32_t)(le32(file + p->lengths[i]) - p->len + len));
	put_le64(file + p->section + SECTION_LENGTH, now);
	size -= padded(old) - padded(now);
	put_le64(file + HEAD_LENGTH, size);
	return size;
}

/* Bytes of one value somewhere; they may become fewer. */
static inline size_t mutate_value(uint8_t *file, size_t size, uint32_t *seed)
{
	struct mutate_place p = {0};
	uint8_t type;
	size_t len;

	if (!mutate_section(file, size, seed, &p))
		return 0;
	type = mutate_field(file, seed, &p);
	if (type == MUTATE_RECORD && mutate_record(file, seed, &p))
		(void)mutate_field(file, seed, &p);
	if (p.len == 0)
		return 0;
	len = LLVMFuzzerMutate(file + p.at, p.len, p.len);
	return len < p.len && mutate_next(seed) % 4 == 0 ? mutate_shorten(file, size, &p, len)
							 : size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	uint32_t state = seed;

	for (int i = 0; i < MUTATE_TRIES && mutate_next(&state) % 8 != 0; i++) {
		size_t now = mutate_value(data, size, &state);

		if (now != 0)
			return now;
	}
	return LLVMFuzzerMutate(data, size, max);
}

#endif
