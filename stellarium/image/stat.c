/* SPDX-License-Identifier: Apache-2.0 */
/* Figures: of one image, and of the whole store. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "stellarium/image/census.h"
#include "stellarium/image/image.h"

struct sum {
	struct stel *s;
	struct index_view *view;
	uint64_t chunks, raw, stored, tree;
};

static int sum_up(struct sum *sum, const struct census *c, struct verr *e)
{
	struct index_place place;

	for (size_t i = 0; i < c->chunks.room; i++) {
		const struct idset_item *item = &c->chunks.items[i];

		if (!item->used)
			continue;
		switch (index_find(sum->view, &item->id, &place, e)) {
		case INDEX_FAULT:
			return -1;
		case INDEX_ABSENT:
			return verr_corrupt(e, "the index lacks a chunk; stellarium verify says "
					       "more");
		case INDEX_FOUND:
			break;
		}
		if (place.kind == PACK_NODE) {
			sum->tree += place.stored;
			continue;
		}
		sum->chunks++;
		sum->raw += place.raw;
		sum->stored += place.stored;
	}
	return 0;
}

int stel_image_info(struct stel_image *image, struct stel_info *out, struct verr *e)
{
	const struct node_root *root = &image->manifest.root;
	struct census census = CENSUS_INIT;
	struct sum sum = {.s = image->s, .view = image->view};
	int r = census_add(&census, image->s, image->view, &image->id, e);

	if (r == 0)
		r = sum_up(&sum, &census, e);
	census_deinit(&census);
	*out = (struct stel_info){.id = image->id,
				  .size = root->size,
				  .zero = root->zero,
				  .chunks = root->chunks,
				  .nodes = root->nodes,
				  .unique = sum.chunks,
				  .raw = sum.raw,
				  .stored = sum.stored + sum.tree,
				  .cut = root->cut};
	return r;
}

static int count_names(const struct names *names, struct sum *sum, struct stel_stat *out,
		       struct verr *e)
{
	struct idset images = IDSET_INIT;
	struct node_root root;
	bool added;
	int r = 0;

	out->names = names->count;
	for (size_t i = 0; i < names->count && r == 0; i++) {
		r = manifest_root(sum->s, sum->view, &names->entries[i].id, &root, e);
		if (r < 0)
			break;
		out->logical += root.size;
		out->zero += root.zero;
		r = idset_add(&images, &names->entries[i].id, &added, e) == NULL ? -1 : 0;
		if (r == 0 && added)
			out->images++;
	}
	idset_deinit(&images);
	return r;
}

static int count_packs(struct stel *s, struct stel_stat *out, struct verr *e)
{
	char name[PACK_NAME];
	uint64_t *ids = NULL;
	size_t count = 0;
	struct stat st;

	if (packs_list(&s->packs, &ids, &count, e) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		pack_name(ids[i], name);
		if (fstatat(s->packs_dir, name, &st, 0) < 0)
			continue; /* garbage collection goes on */
		out->packs++;
		out->on_disk += (uint64_t)st.st_size;
	}
	free(ids);
	return index_size(s->index, &out->index, e);
}

int stel_stat(struct stel *s, struct stel_stat *out, struct verr *e)
{
	struct census census = CENSUS_INIT;
	struct sum sum = {.s = s};
	struct names names;
	int r;

	*out = (struct stel_stat){0};
	if (names_read(&names, s->dir, &s->store, e) < 0)
		return -1;
	r = index_view_open(s->index, &sum.view, e);
	if (r == 0)
		r = census_add_names(&census, s, sum.view, &names, e);
	if (r == 0)
		r = count_names(&names, &sum, out, e);
	if (r == 0)
		r = sum_up(&sum, &census, e);
	if (r == 0)
		r = count_packs(s, out, e);
	out->chunks = sum.chunks;
	out->raw = sum.raw;
	out->stored = sum.stored;
	out->tree = sum.tree;
	out->garbage = out->on_disk - MIN(out->on_disk, sum.stored + sum.tree);
	sum.view = index_view_close(sum.view);
	census_deinit(&census);
	names_deinit(&names);
	return r;
}
