/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A state file as JSON: an object by kinds, each a list of its instances. Runs of bytes are
 * hexadecimal text, and so are numbers of 64 bits, which not every reader of JSON has.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

#include "base/own.h"
#include "vmm/state/file.h"
#include "vmm/state/state_priv.h"

/* Every function here returns NULL without memory, as jansson's do, which take NULL for a value. */

static json_t *hex_of(const uint8_t *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	char *text = malloc(2 * len + 1);
	json_t *value;

	if (text == NULL)
		return NULL;
	for (size_t i = 0; i < len; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	value = json_stringn(text, 2 * len);
	free(text);
	return value;
}

/* A name may be no UTF-8: then its bytes. */
static json_t *text_of(const char *text)
{
	json_t *value = json_string(text);

	return value != NULL ? value : hex_of((const uint8_t *)text, strlen(text));
}

static json_t *element(uint8_t type, const uint8_t *at)
{
	char text[24];

	switch (type) {
	case STATE_U8:
		return json_integer(*at);
	case STATE_BOOL:
		return json_boolean(*at);
	case STATE_U16:
		return json_integer(le16(at));
	case STATE_U32:
		return json_integer(le32(at));
	default:
		(void)snprintf(text, sizeof(text), "%#" PRIx64, le64(at));
		return json_string(text);
	}
}

static json_t *object_of(const struct state_table *t, const uint8_t *state);

static json_t *list_of(const struct state_field *f, const uint8_t *at, uint32_t count)
{
	json_t *list = json_array();
	size_t size = f->records != NULL ? f->records->size : type_size(f->type);

	for (uint32_t i = 0; i < count; i++, at += size)
		(void)json_array_append_new(list, f->records != NULL ? object_of(f->records, at)
								     : element(f->type, at));
	return list;
}

static json_t *value_of(const struct state_field *f, const uint8_t *state)
{
	const uint8_t *at = state + f->offset;
	uint32_t count = f->max;

	if (f->shape == STATE_LIST || f->shape == STATE_RECORDS)
		memcpy(&count, state + f->count_offset, sizeof(count));
	if (f->shape == STATE_TEXT)
		return text_of((const char *)at);
	if (f->shape == STATE_ONE)
		return element(f->type, at);
	return f->type == STATE_U8 ? hex_of(at, count) : list_of(f, at, count);
}

static json_t *object_of(const struct state_table *t, const uint8_t *state)
{
	json_t *object = json_object();

	for (uint32_t i = 0; i < t->count; i++)
		(void)json_object_set_new(object, t->fields[i].name,
					  value_of(&t->fields[i], state));
	return object;
}

static int section_value(const struct state_section *s, json_t **out, struct verr *e)
{
	auto_free uint8_t *state = NULL;

	if (s->class == NULL || s->class->format == SECTION_BYTES) {
		*out = hex_of(s->body.at, s->body.len);
		return 0;
	}
	if (s->class->format == SECTION_JSON) {
		*out = json_loadb((const char *)s->body.at, s->body.len, JSON_REJECT_DUPLICATES,
				  NULL);
		return *out != NULL ? 0 : verr_corrupt(e, "no JSON");
	}
	state = malloc(s->class->table->size);
	if (state == NULL)
		return verr_host(e, "out of memory");
	if (fields_decode(s->body, s->class->table, state, e) < 0)
		return -1;
	*out = object_of(s->class->table, state);
	return 0;
}

static int add_section(json_t *all, const struct state_section *s, struct verr *e)
{
	const char *name = s->class != NULL ? s->class->name : "unknown";
	json_t *list = json_object_get(all, name), *value = NULL;

	if (list == NULL) {
		list = json_array();
		(void)json_object_set_new(all, name, list);
	}
	if (section_value(s, &value, e) < 0)
		return verr_note(e, "section %s %u", name, s->instance);
	if (json_array_append_new(list, value) < 0)
		return verr_host(e, "out of memory");
	return 0;
}

int state_print_json(const struct state_reader *r, FILE *out, struct verr *e)
{
	json_t *all = json_object();
	const struct state_section *s;
	int result = 0;

	for (uint32_t i = 0; result == 0 && (s = state_section_at(r, i)) != NULL; i++)
		result = add_section(all, s, e);
	if (result == 0 && json_dumpf(all, out, JSON_INDENT(2) | JSON_PRESERVE_ORDER) < 0)
		result = verr_host(e, "the JSON could not be written");
	json_decref(all);
	if (result == 0)
		(void)fputc('\n', out);
	return result;
}
