/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/firecracker/config_file.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/sys.h"
#include "vmm/firecracker/firecracker.h"

/* Some thousand objects: nobody's microVM has so many. */
#define FILE_MAX MIB(1)

/* "/network-interfaces/" and an id. */
#define PATH_LEN 128

static void own_json(json_t **json)
{
	json_decref(*json);
}

#define auto_json __attribute__((cleanup(own_json))) json_t

/* In the order in which they are put: the log before all that could be logged. */
static const struct section {
	const char *key, *path;
	const char *id; /* an array of objects that have their id there; NULL: one object */
	bool required;
	bool elsewhere; /* may also be the path of a file with the object */
} sections[] = {
	{.key = "logger", .path = "/logger"},
	{.key = "metrics", .path = "/metrics"},
	{.key = "machine-config", .path = "/machine-config"},
	{.key = "cpu-config", .path = "/cpu-config", .elsewhere = true},
	{.key = "boot-source", .path = "/boot-source", .required = true},
	{.key = "drives", .path = "/drives/", .id = "drive_id", .required = true},
	{.key = "network-interfaces", .path = "/network-interfaces/", .id = "iface_id"},
	{.key = "vsock", .path = "/vsock"},
	{.key = "balloon", .path = "/balloon"},
	{.key = "mmds-config", .path = "/mmds/config"},
	{.key = "entropy", .path = "/entropy"},
	{.key = "pmem", .path = "/pmem/", .id = "id"},
	{.key = "memory-hotplug", .path = "/hotplug/memory"},
};

static json_t *load_json(const char *path, struct verr *e)
{
	auto_free char *text = NULL;
	json_error_t error;
	uint64_t size = 0;
	json_t *json;
	auto_fd fd = sys_open_input(path, &size, e);

	if (fd < 0)
		return NULL;
	if (size > FILE_MAX) {
		(void)verr_invalid(e, "%s: %llu bytes, at most %llu", path,
				   (unsigned long long)size, (unsigned long long)FILE_MAX);
		return NULL;
	}
	text = malloc(size + 1);
	if (text == NULL) {
		(void)verr_host(e, "out of memory");
		return NULL;
	}
	if (sys_pread_full(fd, text, size, 0, e) < 0)
		return NULL;
	json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
	if (json == NULL)
		(void)verr_invalid(e, "%s:%d:%d: %s", path, error.line, error.column, error.text);
	return json;
}

/* Each object to the path that ends in its id. */
static int put_objects(struct firecracker *f, const struct section *s, const json_t *list,
		       struct verr *e)
{
	char path[PATH_LEN];
	const json_t *object;
	const char *id;
	size_t i;

	if (!json_is_array(list))
		return verr_invalid(e, "%s: expected an array of objects", s->key);
	json_array_foreach((json_t *)list, i, object)
	{
		id = json_string_value(json_object_get(object, s->id));
		if (id == NULL || *id == '\0')
			return verr_invalid(e, "%s: number %zu: %s: expected a string", s->key,
					    i + 1, s->id);
		if (snprintf(path, sizeof(path), "%s%s", s->path, id) >= (int)sizeof(path))
			return verr_invalid(e, "%s: %.20s...: the id is too long", s->key, id);
		if (firecracker_put(f, path, object, e) < 0)
			return verr_note(e, "%s: %s", s->key, id);
	}
	return 0;
}

static int put_section(struct firecracker *f, const struct section *s, const json_t *value,
		       struct verr *e)
{
	auto_json *loaded = NULL;

	if (s->id != NULL)
		return put_objects(f, s, value, e);
	if (s->elsewhere && json_is_string(value)) {
		loaded = load_json(json_string_value(value), e);
		if (loaded == NULL)
			return verr_note(e, "%s", s->key);
		value = loaded;
	}
	return firecracker_put(f, s->path, value, e) < 0 ? verr_note(e, "%s", s->key) : 0;
}

static int put_all(struct firecracker *f, const json_t *root, struct verr *e)
{
	for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
		const json_t *value = json_object_get(root, sections[i].key);

		if (json_is_null(value))
			value = NULL;
		if (value == NULL && sections[i].required)
			return verr_invalid(e, "%s: missing", sections[i].key);
		if (value != NULL && put_section(f, &sections[i], value, e) < 0)
			return -1;
	}
	return 0;
}

static bool is_known(const char *key)
{
	for (size_t i = 0; i < ARRAY_LEN(sections); i++)
		if (strcmp(sections[i].key, key) == 0)
			return true;
	return false;
}

static int put_root(struct firecracker *f, const json_t *root, struct verr *e)
{
	const char *key;
	json_t *value;

	if (!json_is_object(root))
		return verr_invalid(e, "expected a JSON object");
	json_object_foreach((json_t *)root, key, value)
	{
		(void)value;
		if (!is_known(key))
			return verr_invalid(e, "%s: unknown key", key);
	}
	return put_all(f, root, e);
}

int fc_config_file_parse(struct firecracker *f, const char *text, size_t len, struct verr *e)
{
	json_error_t error;
	auto_json *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);

	if (root == NULL)
		return verr_invalid(e, "%d:%d: %s", error.line, error.column, error.text);
	return put_root(f, root, e);
}

int fc_config_file_load(struct firecracker *f, const char *path, struct verr *e)
{
	auto_json *root = load_json(path, e);

	if (root == NULL)
		return verr_note(e, "--config-file");
	return put_root(f, root, e) < 0 ? verr_note(e, "--config-file %s", path) : 0;
}
