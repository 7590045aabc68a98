/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of objects: growing them, and objects from text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "vmm/config/config.h"

static void *item(const struct config_list *list, const struct list_class *class, size_t index)
{
	return (char *)list->items + index * class->size;
}

void *list_add(struct config_list *list, const struct list_class *class, struct verr *e)
{
	void *grown;

	if (list->count == class->most) {
		(void)verr_invalid(e, "at most %zu of them", class->most);
		return NULL;
	}
	grown = realloc(list->items, (list->count + 1) * class->size);
	if (grown == NULL) {
		(void)verr_host(e, "out of memory");
		return NULL;
	}
	list->items = grown;
	grown = item(list, class, list->count++);
	memset(grown, 0, class->size);
	object_init(grown, class->rows, class->count);
	return grown;
}

void list_drop_last(struct config_list *list, const struct list_class *class)
{
	object_deinit(item(list, class, --list->count), class->rows, class->count);
}

void *list_by_id(const struct config_list *list, const struct list_class *class, const char *id)
{
	const struct setting *row = list_find(class, "id", 2, false);

	for (size_t i = 0; i < list->count; i++) {
		const char *name = setting_text(item(list, class, i), row);

		if (name != NULL && strcmp(name, id) == 0)
			return item(list, class, i);
	}
	return NULL;
}

void list_replace(const struct list_class *class, void *object, void *with)
{
	object_deinit(object, class->rows, class->count);
	memcpy(object, with, class->size);
}

void list_remove(struct config_list *list, const struct list_class *class, void *object)
{
	char *last = item(list, class, list->count - 1);

	object_deinit(object, class->rows, class->count);
	memmove(object, (char *)object + class->size, (size_t)(last - (char *)object));
	list->count--;
}

void list_merge_last(struct config_list *list, const struct list_class *class)
{
	const struct setting *id = list_find(class, "id", 2, false);
	void *last = item(list, class, list->count - 1);
	const char *name = setting_text(last, id);

	for (size_t i = 0; i < list->beneath && name != NULL; i++) {
		void *other = item(list, class, i);
		const char *other_name = setting_text(other, id);

		if (other_name == NULL || strcmp(name, other_name) != 0)
			continue;
		object_deinit(other, class->rows, class->count);
		memcpy(other, last, class->size);
		list->count--;
		return;
	}
}

const struct setting *list_find(const struct list_class *class, const char *key, size_t len,
				bool by_flag)
{
	for (size_t i = 0; i < class->count; i++) {
		const char *name = by_flag ? class->rows[i].flag : class->rows[i].key;

		if (strlen(name) == len && strncmp(name, key, len) == 0)
			return &class->rows[i];
	}
	return NULL;
}

/* Cut one "KEY=VALUE" off the text, in place, with ",," as a comma in it. NULL at the end. */
static char *next_part(char **text)
{
	char *part = *text, *from = part, *to = part;

	if (part == NULL || *part == '\0')
		return NULL;
	for (; *from != '\0'; *to++ = *from++)
		if (*from == ',' && *++from != ',')
			break;
	*text = *from != '\0' ? from : NULL;
	*to = '\0';
	return part;
}

static int unknown_key(const struct list_class *class, const char *part, struct verr *e)
{
	char keys[256];
	size_t len = 0;

	for (size_t i = 0; i < class->count && len < sizeof(keys); i++)
		len += (size_t)snprintf(keys + len, sizeof(keys) - len, "%s%s", i > 0 ? " " : "",
					class->rows[i].flag);
	return verr_invalid(e, "%.60s: unknown key; expected one of %s", part, keys);
}

static int set_part(void *object, const struct list_class *class, const char *part, uint64_t *seen,
		    struct verr *e)
{
	const char *equals = strchr(part, '=');
	size_t len = equals != NULL ? (size_t)(equals - part) : strlen(part);
	const struct setting *s = list_find(class, part, len, true);
	/* A path may have "=" in it, but no key has a slash. */
	bool bare = class->bare && *seen == 0 && (equals == NULL || memchr(part, '/', len) != NULL);

	if (bare) {
		*seen |= 1;
		return setting_set_text(object, class->rows, part, e);
	}
	if (s == NULL)
		return unknown_key(class, part, e);
	if (equals == NULL)
		return verr_invalid(e, "%s: expected %s=%s", part, part, s->values);
	if (*seen >> (s - class->rows) & 1)
		return verr_invalid(e, "%s: given twice", part);
	*seen |= 1ULL << (s - class->rows);
	return setting_set_text(object, s, equals + 1, e) < 0 ? verr_note(e, "%s", part) : 0;
}

/* `text` is cut up. */
static int set_parts(void *object, const struct list_class *class, char *text, struct verr *e)
{
	char *part;
	uint64_t seen = 0;

	while ((part = next_part(&text)) != NULL)
		if (set_part(object, class, part, &seen, e) < 0)
			return -1;
	return 0;
}

int list_add_text(struct config_list *list, const struct list_class *class, const char *text,
		  struct verr *e)
{
	void *object = list_add(list, class, e);
	char *copy;
	int r;

	if (object == NULL)
		return -1;
	copy = strdup(text);
	if (copy == NULL)
		return verr_host(e, "out of memory");
	r = set_parts(object, class, copy, e);
	free(copy);
	return r;
}
