/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration as JSON, in and out. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "vmm/config/config.h"

static void own_json(json_t **json)
{
	json_decref(*json);
}

#define auto_json __attribute__((cleanup(own_json))) json_t

static const struct setting *find_key(const char *key)
{
	for (size_t i = 0; i < settings_count; i++)
		if (settings[i].phase != SETTING_NONE && strcmp(settings[i].key, key) == 0)
			return &settings[i];
	return NULL;
}

static int add_objects(struct config_list *list, const struct list_class *class,
		       const json_t *value, struct verr *e);

static int set_from_json(void *object, const struct setting *s, const json_t *value, struct verr *e)
{
	json_int_t n = json_integer_value(value);

	switch (s->type) {
	case SETTING_SIZE:
		if (json_is_string(value))
			return setting_set_text(object, s, json_string_value(value), e);
		if (!json_is_integer(value) || n < 0)
			return verr_invalid(e, "expected a size such as \"128M\", or bytes");
		return setting_set_number(object, s, (uint64_t)n, e);
	case SETTING_U32:
		if (!json_is_integer(value))
			return verr_invalid(e, "expected a whole number, %llu to %llu",
					    (unsigned long long)s->min, (unsigned long long)s->max);
		return setting_set_number(object, s, n < 0 ? UINT64_MAX : (uint64_t)n, e);
	case SETTING_BOOL:
	case SETTING_FLAG:
		if (!json_is_boolean(value))
			return verr_invalid(e, "expected true or false");
		return setting_set_number(object, s, json_is_true(value), e);
	case SETTING_PATH:
	case SETTING_TEXT:
	case SETTING_TEXTS:
	case SETTING_ENUM:
		if (!json_is_string(value))
			return verr_invalid(e, "expected a string: %s", s->values);
		return setting_set_text(object, s, json_string_value(value), e);
	case SETTING_LIST:
		return add_objects(setting_list(object, s), s->list, value, e);
	}
	return verr_invalid(e, "unknown type of setting");
}

static int set_object(void *object, const struct list_class *class, const json_t *value, bool live,
		      struct verr *e)
{
	const char *key;
	json_t *field;

	if (!json_is_object(value))
		return verr_invalid(e, "expected an object");
	json_object_foreach((json_t *)(uintptr_t)value, key, field)
	{
		const struct setting *s = list_find(class, key, strlen(key), false);

		if (s == NULL)
			return verr_invalid(e, "%s: unknown key", key);
		if (live && s->phase != SETTING_LIVE)
			return verr_invalid(e, "%s: cannot change once the machine has started",
					    key);
		if (set_from_json(object, s, field, e) < 0)
			return verr_note(e, "%s", key);
	}
	return 0;
}

static int add_object(struct config_list *list, const struct list_class *class, const json_t *value,
		      struct verr *e)
{
	void *object = list_add(list, class, e);

	return object == NULL ? -1 : set_object(object, class, value, false, e);
}

static int add_objects(struct config_list *list, const struct list_class *class,
		       const json_t *value, struct verr *e)
{
	if (!json_is_array(value))
		return verr_invalid(e, "expected an array of objects");
	while (list->count > 0)
		list_drop_last(list, class);
	for (size_t i = 0; i < json_array_size(value); i++)
		if (add_object(list, class, json_array_get(value, i), e) < 0)
			return verr_note(e, "number %zu", i + 1);
	return 0;
}

static int set_workload(struct config *c, const json_t *value, struct verr *e)
{
	size_t count = json_array_size(value);

	config_drop_workload(c);
	if (!json_is_array(value) || count == 0)
		return verr_invalid(e, "expected an array of strings, the command first");
	c->workload = calloc(count + 1, sizeof(*c->workload));
	if (c->workload == NULL)
		return verr_host(e, "out of memory");
	for (size_t i = 0; i < count; i++) {
		const char *arg = json_string_value(json_array_get(value, i));

		if (arg == NULL)
			return verr_invalid(e, "expected an array of strings, the command first");
		c->workload[i] = strdup(arg);
		if (c->workload[i] == NULL)
			return verr_host(e, "out of memory");
	}
	return 0;
}

static int set_key(struct config *c, const char *key, const json_t *value, bool live,
		   struct verr *e)
{
	const struct setting *s = find_key(key);

	if (strcmp(key, "workload") == 0 && !live)
		return set_workload(c, value, e);
	if (s == NULL && strcmp(key, "workload") != 0)
		return verr_invalid(e, "unknown key");
	if (s == NULL || (live && s->phase != SETTING_LIVE))
		return verr_state(e, "cannot change once the machine has started");
	return set_from_json(c, s, value, e);
}

static int parse(struct config *c, const char *text, size_t len, const char *origin, bool live,
		 struct verr *e)
{
	json_error_t error;
	auto_json *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	auto_free char *shown = NULL;
	const char *key;
	json_t *value;

	if (root == NULL)
		return verr_invalid(e, "%s:%d:%d: %s", origin, error.line, error.column,
				    error.text);
	if (!json_is_object(root))
		return verr_invalid(e, "%s: expected a JSON object", origin);
	json_object_foreach(root, key, value)
	{
		if (set_key(c, key, value, live, e) == 0)
			continue;
		shown = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
		return verr_note(e, "%s: %s: %.100s", origin, key, shown != NULL ? shown : "?");
	}
	return 0;
}

int config_parse_json(struct config *c, const char *text, size_t len, const char *origin,
		      struct verr *e)
{
	return parse(c, text, len, origin, false, e);
}

int config_parse_live(struct config *c, const char *text, size_t len, const char *origin,
		      struct verr *e)
{
	return parse(c, text, len, origin, true, e);
}

static json_t *values_of(const void *object, const struct setting *rows, size_t count);

static json_t *list_of(const struct config_list *list, const struct list_class *class)
{
	json_t *array = json_array();

	for (size_t i = 0; i < list->count; i++)
		(void)json_array_append_new(array,
					    values_of((const char *)list->items + i * class->size,
						      class->rows, class->count));
	return array;
}

static json_t *value_of(const void *object, const struct setting *s)
{
	const char *text = setting_text(object, s);
	uint64_t n = setting_number(object, s);
	char buf[32];

	switch (s->type) {
	case SETTING_PATH:
	case SETTING_TEXT:
	case SETTING_TEXTS:
		return text != NULL ? json_string_nocheck(text) : NULL;
	case SETTING_SIZE:
		setting_format_size(n, buf, sizeof(buf));
		return json_string(buf);
	case SETTING_U32:
		return json_integer((json_int_t)n);
	case SETTING_BOOL:
	case SETTING_FLAG:
		return json_boolean(n != 0);
	case SETTING_ENUM:
		return setting_choice(s, n, buf, sizeof(buf)) ? json_string(buf) : NULL;
	case SETTING_LIST:
		return list_of(setting_list((void *)(uintptr_t)object, s), s->list);
	}
	return NULL;
}

static json_t *values_of(const void *object, const struct setting *rows, size_t count)
{
	json_t *values = json_object(), *value;

	for (size_t i = 0; i < count; i++) {
		if (rows[i].phase == SETTING_NONE)
			continue;
		value = value_of(object, &rows[i]);
		if (value != NULL)
			(void)json_object_set_new(values, rows[i].key, value);
	}
	return values;
}

char *config_to_json(const struct config *c)
{
	auto_json *root = values_of(c, settings, settings_count);
	auto_free char *text = NULL;
	char *out = NULL;
	json_t *list;

	if (c->workload != NULL) {
		list = json_array();
		for (char **arg = c->workload; *arg != NULL; arg++)
			(void)json_array_append_new(list, json_string_nocheck(*arg));
		(void)json_object_set_new(root, "workload", list);
	}
	text = json_dumps(root, JSON_INDENT(2));
	if (text == NULL || asprintf(&out, "%s\n", text) < 0)
		return NULL;
	return out;
}

int object_parse_json(void *object, const struct list_class *class, const char *text, size_t len,
		      bool live, struct verr *e)
{
	json_error_t error;
	auto_json *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);

	if (root == NULL)
		return verr_invalid(e, "body:%d:%d: %s", error.line, error.column, error.text);
	return set_object(object, class, root, live, e) < 0 ? verr_note(e, "body") : 0;
}

bool json_has_key(const char *text, size_t len, const char *key)
{
	auto_json *root = json_loadb(text, len, 0, NULL);

	return json_object_get(root, key) != NULL;
}

char *object_to_json(const void *object, const struct list_class *class)
{
	auto_json *root = values_of(object, class->rows, class->count);

	return json_dumps(root, JSON_COMPACT);
}

char *list_to_json(const struct config_list *list, const struct list_class *class)
{
	auto_json *root = list_of(list, class);

	return json_dumps(root, JSON_COMPACT);
}

int object_copy(void *to, const void *from, const struct list_class *class, struct verr *e)
{
	auto_free char *text = object_to_json(from, class);

	if (text == NULL)
		return verr_host(e, "out of memory");
	object_init(to, class->rows, class->count);
	return object_parse_json(to, class, text, strlen(text), false, e);
}

int config_copy(struct config *to, const struct config *from, struct verr *e)
{
	auto_free char *text = config_to_json(from);

	if (text == NULL)
		return verr_host(e, "out of memory");
	return config_parse_json(to, text, strlen(text), "the configuration", e);
}
