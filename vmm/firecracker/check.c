/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is a JSON value what a row of bodies.def says? One check for all of them: what is not named in
 * the table is refused, whatever it is.
 */
#include <string.h>
#include <strings.h>

#include "vmm/firecracker/priv.h"

static const struct field *find_field(const struct body *body, const char *key)
{
	for (size_t i = 0; i < body->count; i++)
		if (strcmp(body->fields[i].key, key) == 0)
			return &body->fields[i];
	return NULL;
}

static bool is_choice(const struct field *f, const char *text)
{
	size_t len = strlen(text), n;

	for (const char *at = f->choices; *at != '\0'; at += n + (at[n] == '|')) {
		n = strcspn(at, "|");
		if (n == len && (f->anycase ? strncasecmp(at, text, n) : strncmp(at, text, n)) == 0)
			return true;
	}
	return false;
}

static int check_int(const struct field *f, const json_t *value, struct verr *e)
{
	json_int_t n = json_integer_value(value);

	if (json_is_integer(value) && n >= f->min && n <= f->max)
		return 0;
	return verr_invalid(e, "expected a whole number, %lld to %lld", (long long)f->min,
			    (long long)f->max);
}

static int check_texts(const json_t *list, struct verr *e)
{
	if (!json_is_array(list))
		return verr_invalid(e, "expected an array of strings");
	for (size_t i = 0; i < json_array_size(list); i++)
		if (!json_is_string(json_array_get(list, i)))
			return verr_invalid(e, "expected an array of strings");
	return 0;
}

static int check_map(json_t *map, struct verr *e)
{
	const char *key;
	json_t *value;

	if (!json_is_object(map))
		return verr_invalid(e, "expected an object of strings");
	json_object_foreach(map, key, value)
	{
		if (!json_is_string(value))
			return verr_invalid(e, "%s: expected a string", key);
	}
	return 0;
}

static int check_list(const struct field *f, const json_t *list, struct verr *e)
{
	if (!json_is_array(list))
		return verr_invalid(e, "expected an array of objects");
	for (size_t i = 0; i < json_array_size(list); i++)
		if (body_check(f->body, json_array_get(list, i), e) < 0)
			return verr_note(e, "number %zu", i + 1);
	return 0;
}

static int check_value(const struct field *f, json_t *value, struct verr *e)
{
	switch (f->type) {
	case FIELD_TEXT:
		return json_is_string(value) ? 0 : verr_invalid(e, "expected a string");
	case FIELD_PATH:
		if (json_is_string(value) && json_string_length(value) > 0)
			return 0;
		return verr_invalid(e, "expected a path");
	case FIELD_INT:
		return check_int(f, value, e);
	case FIELD_BOOL:
		return json_is_boolean(value) ? 0 : verr_invalid(e, "expected true or false");
	case FIELD_CHOICE:
		if (json_is_string(value) && is_choice(f, json_string_value(value)))
			return 0;
		return verr_invalid(e, "expected %s", f->choices);
	case FIELD_OBJECT:
		return body_check(f->body, value, e);
	case FIELD_LIST:
		return check_list(f, value, e);
	case FIELD_TEXTS:
		return check_texts(value, e);
	case FIELD_MAP:
		return check_map(value, e);
	case FIELD_ANY:
		return 0;
	}
	return verr_invalid(e, "unknown type of field");
}

/* Right, but does Volt have it? */
static int check_has(const struct field *f, const json_t *value, struct verr *e)
{
	auto_json *taken = NULL;

	if (f->takes == NULL)
		return 0;
	taken = json_loads(f->takes, JSON_DECODE_ANY, NULL);
	if (taken != NULL && json_equal(taken, value))
		return 0;
	return verr_state(e, "Volt does not have %s", f->lacks);
}

static int check_field(const struct field *f, bool partial, json_t *object, struct verr *e)
{
	json_t *value = json_object_get(object, f->key);

	if (json_is_null(value) && !f->required) {
		(void)json_object_del(object, f->key);
		value = NULL;
	}
	if (value == NULL && f->required)
		return verr_invalid(e, "missing field `%s`", f->key);
	if (value == NULL) {
		if (f->initial != NULL && !partial)
			(void)json_object_set_new(object, f->key,
						  json_loads(f->initial, JSON_DECODE_ANY, NULL));
		return 0;
	}
	if (check_value(f, value, e) < 0 || check_has(f, value, e) < 0)
		return verr_note(e, "%s", f->key);
	return 0;
}

int body_check(const struct body *body, json_t *object, struct verr *e)
{
	const char *key;
	json_t *value;

	if (!json_is_object(object))
		return verr_invalid(e, "expected an object");
	if (body->open)
		return 0;
	json_object_foreach(object, key, value)
	{
		if (find_field(body, key) == NULL)
			return verr_invalid(e, "unknown field `%s`", key);
	}
	for (size_t i = 0; i < body->count; i++)
		if (check_field(&body->fields[i], body->partial, object, e) < 0)
			return -1;
	return 0;
}

json_t *body_defaults(const struct body *body)
{
	json_t *object = json_object();

	for (size_t i = 0; i < body->count; i++)
		if (body->fields[i].initial != NULL)
			(void)json_object_set_new(
				object, body->fields[i].key,
				json_loads(body->fields[i].initial, JSON_DECODE_ANY, NULL));
	return object;
}

const char *body_text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

bool body_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

int64_t body_int(const json_t *object, const char *key, int64_t otherwise)
{
	const json_t *value = json_object_get(object, key);

	return json_is_integer(value) ? json_integer_value(value) : otherwise;
}
