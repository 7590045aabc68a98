/* SPDX-License-Identifier: Apache-2.0 */
/* Opening volumes, and closing them. */
#include "stellarium/volume/volume.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/own.h"
#include "stellarium/chunk/hash.h"
#include "stellarium/image/names.h"
#include "stellarium/volume/create.h"

#define AHEAD MIB(1)

/* -- parts of an open one */

static int make_scratches(struct stel_volume *v, unsigned int count, struct verr *e)
{
	v->scratches = calloc(count, sizeof(*v->scratches));
	v->scratch_ids = calloc(count, sizeof(*v->scratch_ids));
	if (v->scratches == NULL || v->scratch_ids == NULL)
		return verr_host(e, "out of memory");
	for (; v->scratch_count < count; v->scratch_count++) {
		v->scratch_ids[v->scratch_free++] = v->scratch_count;
		if (source_scratch_init(&v->scratches[v->scratch_count], &v->source, e) < 0) {
			source_scratch_deinit(&v->scratches[v->scratch_count]);
			return -1;
		}
	}
	return 0;
}

static struct stel_volume *new_volume(void)
{
	struct stel_volume *v = calloc(1, sizeof(*v));

	if (v == NULL)
		return NULL;
	v->source = (struct source)SOURCE_INIT;
	v->overlay = (struct overlay)OVERLAY_INIT;
	for (size_t i = 0; i < VOLUME_LOCKS; i++)
		(void)pthread_mutex_init(&v->pages[i], NULL);
	(void)pthread_mutex_init(&v->scratch_lock, NULL);
	(void)pthread_cond_init(&v->scratch_back, NULL);
	return v;
}

struct stel_volume *stel_volume_close(struct stel_volume *v)
{
	if (v == NULL)
		return NULL;
	overlay_close(&v->overlay);
	v->cache = cache_free(v->cache);
	for (unsigned int i = 0; i < v->scratch_count; i++)
		source_scratch_deinit(&v->scratches[i]);
	free(v->scratches);
	free(v->scratch_ids);
	source_close(&v->source);
	for (size_t i = 0; i < VOLUME_LOCKS; i++)
		(void)pthread_mutex_destroy(&v->pages[i]);
	(void)pthread_mutex_destroy(&v->scratch_lock);
	(void)pthread_cond_destroy(&v->scratch_back);
	free(v);
	return NULL;
}

/* -- opening */

/* The overlay belongs to the image that the user names, if any is named. */
static int check_image(struct stel *s, const struct overlay_head *head, const char *image,
		       struct verr *e)
{
	const struct names_entry *entry;
	struct names names;
	int r = 0;

	if (image == NULL)
		return 0;
	if (names_read(&names, s->dir, &s->store, e) < 0)
		return -1;
	entry = names_find(&names, image);
	if (entry == NULL)
		r = verr_not_found(e, "%s: there is no such image", image);
	else if (!chunk_same(&entry->id, &head->image))
		r = verr_invalid(e,
				 "it is of another image than %s is now: it was made of %s; keep "
				 "it with that one, or begin a new one",
				 image, head->name);
	names_deinit(&names);
	return r;
}

/* A part of what the user's image was is gone when its name went and garbage was collected. */
static int open_source(struct stel_volume *v, struct stel *s, const struct overlay_head *head,
		       struct verr *e)
{
	struct stel_image *image = NULL;
	int r;

	if (image_open_id(s, &head->image, head->name, &image, e) < 0)
		return -1;
	r = source_open(&v->source, image, head->name, e);
	(void)stel_image_close(image);
	if (r == 0 && v->source.size != head->size)
		return verr_corrupt(e, "its image has another size");
	return r;
}

static int open_overlay(struct stel_volume *v, struct stel *s, const struct stel_volume_options *o,
			struct verr *e)
{
	enum overlay_access access = o->readonly ? OVERLAY_READ : OVERLAY_WRITE;
	struct place place = PLACE_INIT;
	struct overlay_head head;
	struct verr dropping = VERR_INIT;
	bool added = false;
	int r = -1;

	if (place_open(&place, o->path, o->overlay == STEL_OVERLAY_FILE, o->create, e) == 0)
		r = create_or_open(&v->overlay, s, &place, o, access, &head, e);
	if (r < 0 && place.made)
		(void)rmdir(o->path);
	place_close(&place);
	if (r < 0 || check_image(s, &head, o->image, e) < 0)
		return -1;
	if (!o->readonly && !o->passing && reference_keep(s, &head, &added, e) < 0)
		return -1;
	if (open_source(v, s, &head, e) == 0)
		return 0;
	if (added)
		(void)!reference_drop(s, &head, &dropping);
	return -1;
}

static int open_image(struct stel_volume *v, struct stel *s, const char *name, struct verr *e)
{
	struct stel_image *image = NULL;
	int r;

	if (stel_image_open(s, name, &image, e) < 0)
		return -1;
	r = source_open(&v->source, image, name, e);
	(void)stel_image_close(image);
	return r;
}

static bool is_there(const struct stel_volume_options *o)
{
	struct place place = PLACE_INIT;
	struct verr none = VERR_INIT;
	bool there =
		place_open(&place, o->path, o->overlay == STEL_OVERLAY_FILE, false, &none) == 0 &&
		faccessat(place.folder, place.name, F_OK, 0) == 0;

	place_close(&place);
	return there;
}

/* What an overlay would be over that is not there. */
static int pretend(struct stel_volume *v, struct stel *s, const struct stel_volume_options *o,
		   struct verr *e)
{
	char name[STEL_NAME_MAX + 1];

	v->readonly = true;
	return create_image(s, o, name, e) < 0 ? -1 : open_image(v, s, name, e);
}

static int open_parts(struct stel_volume *v, struct stel *s, const struct stel_volume_options *o,
		      struct verr *e)
{
	v->readonly = o->readonly || o->overlay == STEL_OVERLAY_NONE;
	switch (o->overlay) {
	case STEL_OVERLAY_FOLDER:
	case STEL_OVERLAY_FILE:
		if ((o->pretend && !is_there(o) ? pretend(v, s, o, e) : open_overlay(v, s, o, e)) <
		    0)
			return verr_note(e, "%s", o->path);
		break;
	case STEL_OVERLAY_NONE:
	case STEL_OVERLAY_DISCARD:
		if (open_image(v, s, o->image, e) < 0)
			return -1;
		break;
	}
	if (v->source.size == 0)
		return verr_invalid(e, "image %s is empty", v->source.name);
	if (o->overlay == STEL_OVERLAY_DISCARD &&
	    overlay_temporary(&v->overlay, v->source.size, e) < 0)
		return -1;
	v->overlay.unsafe = o->unsafe;
	v->ahead = AHEAD;
	return cache_new(&v->cache, o->cache, v->source.raw_max, e) < 0
		       ? -1
		       : make_scratches(v, MAX(o->threads, 1), e);
}

int stel_volume_open(struct stel *s, const struct stel_volume_options *o, struct stel_volume **out,
		     struct verr *e)
{
	struct stel_volume *v = new_volume();

	if (v == NULL)
		return verr_host(e, "out of memory");
	/* Volumes leave the files of their leases behind. */
	lease_tidy(s->leases_dir);
	if (open_parts(v, s, o, e) < 0) {
		struct verr none = VERR_INIT;
		bool made = v->overlay.made;

		(void)stel_volume_close(v);
		if (made)
			(void)!stel_volume_remove(s, o->path, &none);
		return -1;
	}
	*out = v;
	return 0;
}

uint64_t stel_volume_size(const struct stel_volume *v)
{
	return v->source.size;
}

bool stel_volume_readonly(const struct stel_volume *v)
{
	return v->readonly;
}

int stel_volume_overlay(const struct stel_volume *v)
{
	return v->overlay.passing ? -1 : v->overlay.fd;
}

bool stel_volume_made(const struct stel_volume *v)
{
	return v->overlay.made;
}

const char *stel_volume_image(const struct stel_volume *v)
{
	return v->source.name;
}
