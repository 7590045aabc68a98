/* SPDX-License-Identifier: Apache-2.0 */
#include "stellarium/image/image.h"

#include <stdlib.h>

#include "stellarium/chunk/cut.h"
#include "stellarium/chunk/hash.h"
#include "stellarium/image/names.h"
#include "stellarium/store/create.h"

int stel_create(const char *path, const struct stel_options *defaults, struct verr *e)
{
	return create_store(path, defaults, names_create, e);
}

int watch_go_on(const struct stel_watch *watch, uint64_t done, uint64_t total, struct verr *e)
{
	if (watch == NULL || watch->go_on == NULL || watch->go_on(watch->ctx, done, total))
		return 0;
	return verr_state(e, "ended before it was done");
}

static int look_up(struct stel_image *image, const char *name, struct stel_id *id, struct verr *e)
{
	struct names names;
	const struct names_entry *entry;
	int r = 0;

	if (names_read(&names, image->s->dir, &image->s->store, e) < 0)
		return -1;
	entry = names_find(&names, name);
	if (entry != NULL)
		*id = entry->id;
	else
		r = verr_not_found(e, "%s: there is no such image", name);
	names_deinit(&names);
	return r;
}

/*
 * The lease may come too late, when the name has gone meanwhile: so the name must still be there
 * after it. (Garbage collection reads names first, then leases.)
 */
static int lease_image(struct stel_image *image, const char *name, struct verr *e)
{
	struct stel_id again;

	if (look_up(image, name, &again, e) < 0)
		return -1;
	do {
		image->id = again;
		if (lease_pin_image(&image->lease, &image->id, e) < 0 ||
		    look_up(image, name, &again, e) < 0)
			return -1;
	} while (!chunk_same(&image->id, &again));
	return 0;
}

/* NULL is a fault. */
static struct stel_image *new_image(struct stel *s, struct verr *e)
{
	struct stel_image *image = calloc(1, sizeof(*image));

	if (image == NULL) {
		(void)verr_host(e, "out of memory");
		return NULL;
	}
	image->s = s;
	image->lease = (struct lease)LEASE_INIT;
	image->chunk_number = SIZE_MAX;
	image->chunk = malloc(CHUNK_MAX);
	if (image->chunk == NULL)
		(void)verr_host(e, "out of memory");
	else if (lease_take(&image->lease, s->leases_dir, &s->store, e) == 0)
		return image;
	return stel_image_close(image);
}

/* What is leased. */
static int load(struct stel_image *image, const char *name, struct verr *e)
{
	if (index_view_open(image->s->index, &image->view, e) < 0)
		return -1;
	if (manifest_load(&image->manifest, image->s, image->view, &image->id, e) < 0)
		return verr_note(e, "%s", name);
	return 0;
}

int stel_image_open(struct stel *s, const char *name, struct stel_image **out, struct verr *e)
{
	struct stel_image *image = new_image(s, e);

	if (image == NULL)
		return -1;
	if (lease_image(image, name, e) < 0 || load(image, name, e) < 0) {
		(void)stel_image_close(image);
		return -1;
	}
	*out = image;
	return 0;
}

int image_open_id(struct stel *s, const struct stel_id *id, const char *name,
		  struct stel_image **out, struct verr *e)
{
	struct stel_image *image = new_image(s, e);

	if (image == NULL)
		return -1;
	image->id = *id;
	if (lease_pin_image(&image->lease, id, e) < 0 || load(image, name, e) < 0) {
		(void)stel_image_close(image);
		return -1;
	}
	*out = image;
	return 0;
}

struct stel_image *stel_image_close(struct stel_image *image)
{
	if (image != NULL) {
		manifest_deinit(&image->manifest);
		image->view = index_view_close(image->view);
		lease_drop(&image->lease);
		free(image->chunk);
		free(image);
	}
	return NULL;
}

uint64_t stel_image_size(const struct stel_image *image)
{
	return image->manifest.root.size;
}

/* The piece that ends after `offset`, or the first one behind it; count: none. */
static size_t piece_at(const struct manifest *m, uint64_t offset)
{
	size_t low = 0, high = m->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (m->pieces[middle].offset + m->pieces[middle].len <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The chunk of piece `number` in image->chunk. */
static int load_chunk(struct stel_image *image, size_t number, struct verr *e)
{
	const struct manifest_piece *piece = &image->manifest.pieces[number];
	size_t len = 0;

	if (image->chunk_number == number)
		return 0;
	image->chunk_number = SIZE_MAX;
	if (cas_load(image->s, image->view, &piece->id, image->chunk, CHUNK_MAX, &len, e) != CAS_OK)
		return -1;
	if (len != piece->len)
		return verr_corrupt(e, "a chunk has another length than the image's tree says");
	image->chunk_number = number;
	return 0;
}

int stel_image_read(struct stel_image *image, void *out, uint64_t offset, size_t len,
		    struct verr *e)
{
	const struct manifest *m = &image->manifest;
	uint8_t *at = out;

	if (!range_within(offset, len, m->root.size))
		return verr_invalid(e, "read outside of the image");
	memset(out, 0, len);
	for (size_t i = piece_at(m, offset); i < m->count && m->pieces[i].offset < offset + len;
	     i++) {
		uint64_t start = MAX(m->pieces[i].offset, offset);
		uint64_t end = MIN(m->pieces[i].offset + m->pieces[i].len, offset + len);

		if (load_chunk(image, i, e) < 0)
			return -1;
		memcpy(at + (start - offset), image->chunk + (start - m->pieces[i].offset),
		       (size_t)(end - start));
	}
	return 0;
}
