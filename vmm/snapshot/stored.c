/* SPDX-License-Identifier: Apache-2.0 */
/* What a stored snapshot is called, and finding it (stored.h). */
#include "vmm/snapshot/stored.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "vmm/snapshot/files.h"

int stored_check_name(const char *name, struct verr *e)
{
	if (stel_check_name(name, e) < 0)
		return -1;
	if (strchr(name, '/') != NULL || strlen(name) > STORED_NAME_MAX)
		return verr_invalid(e,
				    "%s: a snapshot's name in a store has no / in it and at most "
				    "%d letters",
				    name, STORED_NAME_MAX);
	return 0;
}

void stored_image(const char *name, const char *part, const char *id,
		  char out[static STEL_NAME_MAX + 1])
{
	(void)snprintf(out, STEL_NAME_MAX + 1, STORED_PREFIX "%s/%s%s", name, part, id);
}

/* -- the images of one */

struct search {
	struct stored_parts *out;
	const char *prefix;
	bool too_many, has_state;
};

static void look(void *ctx, const struct stel_name *name)
{
	struct search *search = ctx;
	struct stored_parts *out = search->out;
	size_t len = strlen(search->prefix);
	char *copy;

	if (strncmp(name->name, search->prefix, len) != 0)
		return;
	if (out->names_count == ARRAY_LEN(out->names)) {
		search->too_many = true;
		return;
	}
	copy = out->names[out->names_count++];
	(void)snprintf(copy, STEL_NAME_MAX + 1, "%s", name->name);
	if (strncmp(copy + len, "images/", 7) == 0)
		return;
	if (out->count == ARRAY_LEN(out->files)) {
		search->too_many = true;
		return;
	}
	search->has_state |= strcmp(copy + len, SNAPSHOT_STATE_FILE) == 0;
	out->sizes[out->count] = name->size;
	out->files[out->count++] = (struct stel_file){.path = copy + len, .image = copy};
}

int stored_find(struct stel *s, const char *name, struct stored_parts *out, struct verr *e)
{
	char prefix[STEL_NAME_MAX + 1];
	struct search search = {.out = out, .prefix = prefix};

	*out = (struct stored_parts){.count = 0};
	if (stored_check_name(name, e) < 0)
		return -1;
	stored_image(name, "", "", prefix);
	if (stel_list(s, look, &search, e) < 0)
		return -1;
	if (search.too_many)
		return verr_corrupt(e, "%s: a snapshot with more parts than one can have", name);
	if (!search.has_state)
		return verr_not_found(e, "%s: there is no such snapshot in the store", name);
	return 0;
}

int stored_check_free(struct stel *s, const char *name, struct verr *e)
{
	auto_free struct stored_parts *parts = malloc(sizeof(*parts));
	struct verr found = VERR_INIT;

	if (parts == NULL)
		return verr_host(e, "out of memory");
	if (stored_find(s, name, parts, &found) == 0)
		return verr_state(e, "%s: there is a snapshot of this name in the store", name);
	if (found.kind == VERR_NOT_FOUND)
		return 0;
	*e = found;
	return -1;
}

int stored_remove(struct stel *s, const char *name, struct verr *e)
{
	auto_free struct stored_parts *parts = malloc(sizeof(*parts));
	const char *names[ARRAY_LEN(parts->names)];

	if (parts == NULL)
		return verr_host(e, "out of memory");
	if (stored_find(s, name, parts, e) < 0)
		return -1;
	for (size_t i = 0; i < parts->names_count; i++)
		names[i] = parts->names[i];
	return stel_remove(s, names, parts->names_count, e);
}
