/* SPDX-License-Identifier: Apache-2.0 */
/* Making volumes, looking at them, removing them. */
#include "stellarium/volume/create.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "stellarium/image/names.h"
#include "stellarium/store/file.h"

/* -- which image */

static bool is_image(const char *name)
{
	return strncmp(name, STEL_VOLUME_PREFIX, strlen(STEL_VOLUME_PREFIX)) != 0;
}

/* The image that a volume called `name` is of when the user does not say. */
static int choose(struct stel *s, const char *name, char out[STEL_NAME_MAX + 1], struct verr *e)
{
	const struct names_entry *chosen = NULL;
	size_t images = 0;
	struct names names;
	int r = 0;

	if (names_read(&names, s->dir, &s->store, e) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		if (!is_image(names.entries[i].name))
			continue;
		chosen = &names.entries[i];
		images++;
	}
	if (names_find(&names, name) != NULL)
		chosen = names_find(&names, name);
	else if (images == 0)
		r = verr_not_found(e, "the store has no image to make a volume of");
	else if (images > 1)
		r = verr_invalid(e,
				 "the store has %zu images, none of them called %s: say which one "
				 "the volume is of",
				 images, name);
	if (r == 0 && chosen != NULL)
		(void)snprintf(out, STEL_NAME_MAX + 1, "%s", chosen->name);
	names_deinit(&names);
	return r;
}

static int choose_for(struct stel *s, const char *path, char out[STEL_NAME_MAX + 1], struct verr *e)
{
	auto_free char *last = place_last_part(path);

	return last == NULL ? verr_host(e, "out of memory") : choose(s, last, out, e);
}

int create_image(struct stel *s, const struct stel_volume_options *options,
		 char out[STEL_NAME_MAX + 1], struct verr *e)
{
	if (options->image == NULL)
		return choose_for(s, options->path, out, e);
	(void)snprintf(out, STEL_NAME_MAX + 1, "%s", options->image);
	return 0;
}

/* -- making */

static int make_from(struct overlay *o, struct stel *s, const struct place *place, const char *name,
		     struct overlay_head *head, enum overlay_found *found, struct verr *e)
{
	struct overlay_place at = place_overlay(place);
	struct stel_image *image = NULL;
	bool added;
	int r = -1;

	/* Leased until the overlay's own name keeps it. */
	if (stel_image_open(s, name, &image, e) < 0)
		return -1;
	*head = (struct overlay_head){
		.store = s->store, .size = stel_image_size(image), .image = image->id};
	(void)snprintf(head->name, sizeof(head->name), "%s", name);
	if (head->size == 0)
		(void)verr_invalid(e, "image %s is empty", name);
	else if (reference_new(head->reference, e) == 0)
		*found = overlay_make(o, &at, head, e);
	if (*found == OVERLAY_MISSING ||
	    (*found == OVERLAY_FOUND && reference_keep(s, head, &added, e) == 0))
		r = 0;
	(void)stel_image_close(image);
	return r;
}

int create_or_open(struct overlay *o, struct stel *s, const struct place *place,
		   const struct stel_volume_options *options, enum overlay_access access,
		   struct overlay_head *head, struct verr *e)
{
	struct overlay_place at = place_overlay(place);
	char name[STEL_NAME_MAX + 1];

	for (;;) {
		enum overlay_found found = OVERLAY_FAULT;

		switch (overlay_open(o, &at, access, &s->store, head, NULL, e)) {
		case OVERLAY_FOUND:
			return 0;
		case OVERLAY_FAULT:
			return -1;
		case OVERLAY_MISSING:
			break;
		}
		if (!options->create)
			return verr_invalid(e, place->is_file
						       ? "there is no such overlay"
						       : "there is no volume in it; stellarium "
							 "volume create makes one");
		if ((!place->is_file && place_check_empty(place, e) < 0) ||
		    create_image(s, options, name, e) < 0)
			return -1;
		if (make_from(o, s, place, name, head, &found, e) < 0)
			return -1;
		if (found == OVERLAY_FOUND)
			return 0;
		/* Somebody else has made it a moment ago. */
	}
}

/* An empty folder that was made for nothing goes again. */
int stel_volume_create(struct stel *s, const char *folder, const char *image, struct verr *e)
{
	const struct stel_volume_options options = {.path = folder, .image = image, .create = true};
	char name[STEL_NAME_MAX + 1];
	struct place place = PLACE_INIT;
	struct overlay o = OVERLAY_INIT;
	struct overlay_head head;
	int r = -1;

	if (image == NULL && choose_for(s, folder, name, e) < 0)
		return verr_note(e, "%s", folder);
	if (place_open(&place, folder, false, true, e) == 0) {
		if (place.is_file || faccessat(place.folder, place.name, F_OK, 0) == 0)
			(void)verr_invalid(e, "there is a volume already");
		else
			r = create_or_open(&o, s, &place, &options, OVERLAY_WRITE, &head, e);
	}
	overlay_close(&o);
	if (r < 0 && place.made)
		(void)rmdir(folder);
	place_close(&place);
	return r < 0 ? verr_note(e, "%s", folder) : 0;
}

static int must_be_there(enum overlay_found found, struct verr *e)
{
	if (found == OVERLAY_MISSING)
		(void)verr_invalid(e, "there is no volume");
	return found == OVERLAY_FOUND ? 0 : -1;
}

/* The head first: who opens it makes up for a name that is missing. */
static int adopt_at(struct stel *s, const struct place *place, struct verr *e)
{
	struct overlay_place at = place_overlay(place);
	struct overlay o = OVERLAY_INIT;
	uint8_t page[OVERLAY_PAGE];
	struct overlay_head head;
	bool added;
	int r;

	if (must_be_there(overlay_open(&o, &at, OVERLAY_WRITE, &s->store, &head, NULL, e), e) < 0)
		return -1;
	r = reference_new(head.reference, e);
	if (r == 0) {
		overlay_put_head(page, &head);
		r = file_pwrite(o.fd, "it", page, sizeof(page), 0, e);
	}
	if (r == 0)
		r = file_sync(o.fd, "it", e);
	if (r == 0)
		r = reference_keep(s, &head, &added, e);
	overlay_close(&o);
	return r;
}

int stel_volume_adopt(struct stel *s, const char *path, struct verr *e)
{
	struct place place = PLACE_INIT;
	int r = place_open(&place, path, false, false, e);

	if (r == 0)
		r = adopt_at(s, &place, e);
	place_close(&place);
	return r < 0 ? verr_note(e, "%s", path) : 0;
}

/* -- looking, removing */

static uint64_t count_pages(const struct overlay *o, enum overlay_state wanted)
{
	enum overlay_state state;
	uint64_t n, count = 0;

	for (uint64_t page = 0; page < o->pages; page += n) {
		n = overlay_run(o, page, o->pages - page, &state);
		count += state == wanted ? n : 0;
	}
	return count;
}

static int look(struct stel *s, const struct place *place, struct stel_volume_info *out,
		struct verr *e)
{
	struct overlay_place at = place_overlay(place);
	struct overlay o = OVERLAY_INIT;
	struct overlay_head head;
	struct stat st;

	*out = (struct stel_volume_info){0};
	if (must_be_there(overlay_open(&o, &at, OVERLAY_LOOK, &s->store, &head, &out->in_use, e),
			  e) < 0)
		return -1;
	out->image = head.image;
	out->size = head.size;
	(void)snprintf(out->name, sizeof(out->name), "%s", head.name);
	(void)snprintf(out->reference, sizeof(out->reference), "%s", head.reference);
	if (fstat(o.fd, &st) == 0)
		out->on_disk = (uint64_t)st.st_blocks * 512;
	if (!out->in_use) {
		out->written = count_pages(&o, OVERLAY_DATA) * OVERLAY_PAGE;
		out->zeroed = count_pages(&o, OVERLAY_ZERO) * OVERLAY_PAGE;
	}
	overlay_close(&o);
	return 0;
}

int stel_volume_info(struct stel *s, const char *folder, struct stel_volume_info *out,
		     struct verr *e)
{
	struct place place = PLACE_INIT;
	int r = place_open(&place, folder, false, false, e);

	if (r == 0)
		r = look(s, &place, out, e);
	place_close(&place);
	return r < 0 ? verr_note(e, "%s", folder) : 0;
}

/* The name first: a volume without it can be removed again, a name without a volume stays. */
static int remove_at(struct stel *s, const struct place *place, struct verr *e)
{
	struct overlay_place at = place_overlay(place);
	struct overlay o = OVERLAY_INIT;
	struct overlay_head head;
	int r;

	if (must_be_there(overlay_open(&o, &at, OVERLAY_WRITE, &s->store, &head, NULL, e), e) < 0)
		return -1;
	r = reference_drop(s, &head, e);
	if (r == 0 && unlinkat(place->folder, place->name, 0) < 0)
		r = verr_os(e, "remove %s", place->name);
	if (r == 0)
		r = file_sync(place->folder, "its folder", e);
	overlay_close(&o);
	return r;
}

int stel_volume_remove(struct stel *s, const char *folder, struct verr *e)
{
	struct place place = PLACE_INIT;
	int r = place_open(&place, folder, false, false, e);

	if (r == 0)
		r = remove_at(s, &place, e);
	if (r == 0 && !place.is_file && rmdir(folder) < 0 && errno != ENOTEMPTY && errno != EEXIST)
		r = verr_os(e, "remove it");
	place_close(&place);
	return r < 0 ? verr_note(e, "%s", folder) : 0;
}
