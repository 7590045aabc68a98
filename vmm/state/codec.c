/* SPDX-License-Identifier: Apache-2.0 */
/* Structs to fields and back, by their tables; file.h has the grammar. */
#include <stdlib.h>

#include "vmm/state/file.h"
#include "vmm/state/state_priv.h"

#define FIELD_HEAD 8
#define RECORD_HEAD 4

/* --- the buffer --- */

static bool make_room(struct buffer *b, size_t len)
{
	size_t room = MAX(b->room, (size_t)4096);
	uint8_t *at;

	if (b->failed || len > STATE_FILE_MAX - b->len)
		return false;
	while (room < b->len + len)
		room *= 2;
	if (room == b->room)
		return true;
	at = realloc(b->at, room);
	if (at == NULL)
		return false;
	b->at = at;
	b->room = room;
	return true;
}

void buffer_put(struct buffer *b, const void *bytes, size_t len)
{
	if (!make_room(b, len)) {
		b->failed = true;
		return;
	}
	if (len > 0)
		memcpy(b->at + b->len, bytes, len);
	b->len += len;
}

void buffer_deinit(struct buffer *b)
{
	free(b->at);
	*b = (struct buffer){0};
}

/* --- elements --- */

size_t type_size(uint8_t type)
{
	switch (type) {
	case STATE_U8:
	case STATE_BOOL:
	case STATE_CHAR:
		return 1;
	case STATE_U16:
		return 2;
	case STATE_U32:
		return 4;
	case STATE_U64:
		return 8;
	default:
		return 0;
	}
}

static const uint8_t *member(const struct state_field *f, const void *state)
{
	return (const uint8_t *)state + f->offset;
}

static uint32_t count_of(const struct state_field *f, const void *state)
{
	uint32_t count;

	switch (f->shape) {
	case STATE_LIST:
	case STATE_RECORDS:
		memcpy(&count, (const uint8_t *)state + f->count_offset, sizeof(count));
		return count;
	case STATE_TEXT:
		return (uint32_t)strnlen((const char *)member(f, state), f->max + 1);
	default:
		return f->max;
	}
}

/* Little-endian, as this machine is: one copy does for all types. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are copied as they are");

/* --- encoding --- */

/* Where the length will stand that is known when all of it is written. */
static void put_length(struct buffer *b, size_t at)
{
	if (!b->failed)
		put_le32(b->at + at, (uint32_t)(b->len - at - sizeof(uint32_t)));
}

static void encode_records(struct buffer *b, const struct state_field *f, const void *state,
			   uint32_t count)
{
	static const uint8_t none[RECORD_HEAD];

	for (uint32_t i = 0; i < count; i++) {
		size_t at = b->len;

		buffer_put(b, none, sizeof(none));
		fields_encode(b, f->records, member(f, state) + (size_t)i * f->records->size);
		put_length(b, at);
	}
}

static void encode_field(struct buffer *b, const struct state_field *f, const void *state)
{
	uint8_t head[FIELD_HEAD] = {0};
	uint32_t count = count_of(f, state);
	size_t at = b->len;

	if (count > f->max) {
		b->failed = true;
		return;
	}
	put_le16(head, f->tag);
	head[2] = f->type;
	buffer_put(b, head, sizeof(head));
	if (f->shape == STATE_RECORDS)
		encode_records(b, f, state, count);
	else
		buffer_put(b, member(f, state), count * type_size(f->type));
	put_length(b, at + 4);
}

void fields_encode(struct buffer *b, const struct state_table *table, const void *state)
{
	for (uint32_t i = 0; i < table->count; i++)
		encode_field(b, &table->fields[i], state);
}

/* --- decoding --- */

static int malformed(const struct state_field *f, const char *what, struct verr *e)
{
	return verr_corrupt(e, "%s: %s", f->name, what);
}

static int check_values(const struct state_field *f, struct bytes value, struct verr *e)
{
	if (f->type == STATE_BOOL)
		for (size_t i = 0; i < value.len; i++)
			if (value.at[i] > 1)
				return malformed(f, "neither true nor false", e);
	if (f->type == STATE_CHAR && value.len > 0 && memchr(value.at, 0, value.len) != NULL)
		return malformed(f, "no text", e);
	return 0;
}

static void set_count(const struct state_field *f, uint32_t count, void *state)
{
	memcpy((uint8_t *)state + f->count_offset, &count, sizeof(count));
}

static int decode_values(const struct state_field *f, struct bytes value, void *state,
			 struct verr *e)
{
	size_t size = MAX(type_size(f->type), (size_t)1), count = value.len / size;

	if (value.len % size != 0 || count > f->max || (f->shape <= STATE_ARRAY && count != f->max))
		return malformed(f, "not as many as there are", e);
	if (check_values(f, value, e) < 0)
		return -1;
	if (value.len > 0)
		memcpy((uint8_t *)state + f->offset, value.at, value.len);
	if (f->shape == STATE_LIST)
		set_count(f, (uint32_t)count, state);
	return 0;
}

static int decode_records(const struct state_field *f, struct bytes value, void *state,
			  struct verr *e)
{
	uint32_t count = 0, len;
	size_t at = 0;

	for (; at < value.len; count++) {
		if (count == f->max)
			return malformed(f, "too many", e);
		if (!bytes_u32(value, at, &len) || !range_within(at + RECORD_HEAD, len, value.len))
			return malformed(f, "cut off", e);
		at += RECORD_HEAD;
		if (fields_decode(bytes_of(value.at + at, len), f->records,
				  (uint8_t *)state + f->offset + (size_t)count * f->records->size,
				  e) < 0)
			return verr_note(e, "%s %u", f->name, count);
		at += len;
	}
	set_count(f, count, state);
	return 0;
}

/* A field of the file's. */
struct wire_field {
	uint16_t tag;
	uint8_t type;
	struct bytes value;
};

static uint32_t number_of(uint16_t tag)
{
	return tag & ~(STATE_LATER | STATE_SKIP);
}

/* Take the field at `*at`; false: malformed. */
static bool next_field(struct bytes in, size_t *at, struct wire_field *out)
{
	uint8_t zero;
	uint32_t len;

	if (!bytes_u16(in, *at, &out->tag) || !bytes_u8(in, *at + 2, &out->type) ||
	    !bytes_u8(in, *at + 3, &zero) || !bytes_u32(in, *at + 4, &len) || zero != 0 ||
	    !range_within(*at + FIELD_HEAD, len, in.len))
		return false;
	out->value = bytes_of(in.at + *at + FIELD_HEAD, len);
	*at += FIELD_HEAD + len;
	return true;
}

static int decode_field(const struct state_field *f, const struct wire_field *w, void *state,
			struct verr *e)
{
	if (w->type != f->type)
		return malformed(f, "of another type", e);
	if (f->shape == STATE_RECORDS)
		return decode_records(f, w->value, state, e);
	return decode_values(f, w->value, state, e);
}

/* The file lacks these fields. */
static int pass_over(const struct state_table *t, uint32_t from, uint32_t to, struct verr *e)
{
	for (; from < to; from++)
		if (!(t->fields[from].tag & STATE_LATER))
			return verr_corrupt(e, "%s is missing", t->fields[from].name);
	return 0;
}

int fields_decode(struct bytes in, const struct state_table *t, void *state, struct verr *e)
{
	struct wire_field w;
	uint32_t done = 0, last = 0;
	size_t at = 0;

	memset(state, 0, t->size);
	while (at < in.len) {
		uint32_t i = done;

		if (!next_field(in, &at, &w))
			return verr_corrupt(e, "a field is cut off");
		if (number_of(w.tag) <= last)
			return verr_corrupt(e, "fields out of order");
		last = number_of(w.tag);
		while (i < t->count && number_of(t->fields[i].tag) < last)
			i++;
		if (pass_over(t, done, i, e) < 0)
			return -1;
		done = i;
		if (i < t->count && t->fields[i].tag == w.tag) {
			if (decode_field(&t->fields[i], &w, state, e) < 0)
				return -1;
			done++;
		} else if (!(w.tag & STATE_SKIP)) {
			return verr_corrupt(e, "an unknown field, %#x", w.tag);
		}
	}
	return pass_over(t, done, t->count, e);
}
