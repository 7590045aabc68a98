/* SPDX-License-Identifier: Apache-2.0 */
#include "stellarium/image/census.h"

static enum manifest_step see_node(void *ctx, const struct stel_id *id, struct verr *e)
{
	struct census *c = ctx;
	bool added;
	struct idset_item *item = idset_add(&c->chunks, id, &added, e);

	if (item == NULL)
		return MANIFEST_STOP;
	/* It may be known as data: an image can have in it what is a node elsewhere. */
	if ((item->value & CENSUS_NODE) != 0)
		return MANIFEST_SKIP;
	item->value |= CENSUS_NODE;
	return MANIFEST_ENTER;
}

static int see_chunk(void *ctx, const struct stel_id *id, uint64_t offset, uint32_t len,
		     struct verr *e)
{
	struct census *c = ctx;
	bool added;

	(void)offset;
	if (idset_add(&c->chunks, id, &added, e) == NULL)
		return -1;
	if (added)
		c->data_len += len;
	return 0;
}

int census_add(struct census *c, struct stel *s, struct index_view *view,
	       const struct stel_id *image, struct verr *e)
{
	const struct manifest_visitor visitor = {.node = see_node, .chunk = see_chunk, .ctx = c};

	return manifest_walk(s, view, image, &visitor, e);
}

int census_add_names(struct census *c, struct stel *s, struct index_view *view,
		     const struct names *names, struct verr *e)
{
	for (size_t i = 0; i < names->count; i++)
		if (census_add(c, s, view, &names->entries[i].id, e) < 0)
			return verr_note(e, "%s", names->entries[i].name);
	return 0;
}

void census_deinit(struct census *c)
{
	idset_deinit(&c->chunks);
	*c = (struct census)CENSUS_INIT;
}
