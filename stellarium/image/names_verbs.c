/* SPDX-License-Identifier: Apache-2.0 */
/* What is done with names alone: listing, cloning, removing. */
#include <stdio.h>
#include <time.h>

#include "stellarium/image/image.h"
#include "stellarium/image/names.h"

int stel_list(struct stel *s, stel_name_fn *show, void *ctx, struct verr *e)
{
	struct names names;

	if (names_read(&names, s->dir, &s->store, e) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		const struct names_entry *entry = &names.entries[i];
		struct stel_name name = {.name = entry->name,
					 .id = entry->id,
					 .size = entry->size,
					 .time = entry->time};

		show(ctx, &name);
	}
	names_deinit(&names);
	return 0;
}

static int check_free(const struct names *names, const char *name, bool replace, struct verr *e)
{
	if (!replace && names_find(names, name) != NULL)
		return verr_state(e, "%s: there is such an image already", name);
	return 0;
}

int names_check_new(int dir, const struct seal_store *store, const char *name, bool replace,
		    struct verr *e)
{
	struct names names;
	int r;

	if (stel_check_name(name, e) < 0 || names_read(&names, dir, store, e) < 0)
		return -1;
	r = check_free(&names, name, replace, e);
	names_deinit(&names);
	return r;
}

int names_give(int dir, const struct seal_store *store, const char *name, bool replace,
	       const struct stel_id *id, uint64_t size, struct verr *e)
{
	struct names_change change = NAMES_CHANGE_INIT;
	int r = -1;

	if (names_begin(&change, dir, store, e) == 0 &&
	    check_free(&change.now, name, replace, e) == 0 &&
	    names_set(&change, name, id, size, e) == 0)
		r = names_commit(&change, e);
	names_change_deinit(&change);
	return r;
}

static int clone_as(struct names_change *c, const struct names_entry *from, const char *as,
		    struct verr *e)
{
	if (names_find(&c->now, as) != NULL)
		return verr_state(e, "%s: there is such an image already", as);
	return names_set(c, as, &from->id, from->size, e);
}

static int clone_all(struct names_change *c, const char *name, const char *as, unsigned int count,
		     struct verr *e)
{
	const struct names_entry *found = names_find(&c->now, name);
	char numbered[STEL_NAME_MAX + 16];
	struct names_entry from;

	if (found == NULL)
		return verr_not_found(e, "%s: there is no such image", name);
	from = *found;
	if (count == 0)
		return clone_as(c, &from, as, e);
	for (unsigned int i = 0; i < count; i++) {
		(void)snprintf(numbered, sizeof(numbered), "%s%u", as, i);
		if (clone_as(c, &from, numbered, e) < 0)
			return -1;
	}
	return 0;
}

int stel_clone(struct stel *s, const char *name, const char *as, unsigned int count, struct verr *e)
{
	struct names_change change = NAMES_CHANGE_INIT;
	int r = -1;

	if (stel_check_name(as, e) < 0)
		return -1;
	if (names_begin(&change, s->dir, &s->store, e) == 0 &&
	    clone_all(&change, name, as, count, e) == 0)
		r = names_commit(&change, e);
	names_change_deinit(&change);
	return r;
}

int stel_name_all(struct stel *s, const struct stel_naming *names, size_t count, struct verr *e)
{
	struct names_change change = NAMES_CHANGE_INIT;
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		r = stel_check_name(names[i].name, e);
	if (r == 0)
		r = names_begin(&change, s->dir, &s->store, e);
	for (size_t i = 0; r == 0 && i < count; i++)
		if (check_free(&change.now, names[i].name, false, e) < 0 ||
		    names_set(&change, names[i].name, &names[i].image->id,
			      stel_image_size(names[i].image), e) < 0)
			r = -1;
	if (r == 0)
		r = names_commit(&change, e);
	names_change_deinit(&change);
	return r;
}

int stel_remove(struct stel *s, const char *const *names, size_t count, struct verr *e)
{
	struct names_change change = NAMES_CHANGE_INIT;
	int r = names_begin(&change, s->dir, &s->store, e);

	for (size_t i = 0; r == 0 && i < count; i++)
		r = names_unset(&change, names[i], e);
	if (r == 0)
		r = names_commit(&change, e);
	names_change_deinit(&change);
	return r;
}
