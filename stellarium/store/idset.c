/* SPDX-License-Identifier: Apache-2.0 */
#include "stellarium/store/idset.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "stellarium/chunk/hash.h"

void idset_deinit(struct idset *set)
{
	free(set->items);
	*set = (struct idset)IDSET_INIT;
}

void idset_clear(struct idset *set)
{
	if (set->items != NULL)
		memset(set->items, 0, set->room * sizeof(*set->items));
	set->count = 0;
}

/* Ids are hashes already. */
static struct idset_item *place_of(const struct idset *set, const struct stel_id *id)
{
	size_t at = (size_t)le64(id->bytes) & (set->room - 1);

	while (set->items[at].used && !chunk_same(&set->items[at].id, id))
		at = (at + 1) & (set->room - 1);
	return &set->items[at];
}

static int grow(struct idset *set, struct verr *e)
{
	struct idset bigger = {.room = set->room == 0 ? 1024 : 2 * set->room};

	bigger.items = calloc(bigger.room, sizeof(*bigger.items));
	if (bigger.items == NULL)
		return verr_host(e, "out of memory");
	for (size_t i = 0; i < set->room; i++)
		if (set->items[i].used)
			*place_of(&bigger, &set->items[i].id) = set->items[i];
	bigger.count = set->count;
	free(set->items);
	*set = bigger;
	return 0;
}

struct idset_item *idset_add(struct idset *set, const struct stel_id *id, bool *added,
			     struct verr *e)
{
	struct idset_item *item;

	if (set->count >= set->room / 2 && grow(set, e) < 0)
		return NULL;
	item = place_of(set, id);
	if (added != NULL)
		*added = !item->used;
	if (!item->used) {
		*item = (struct idset_item){.id = *id, .used = true};
		set->count++;
	}
	return item;
}

struct idset_item *idset_find(const struct idset *set, const struct stel_id *id)
{
	struct idset_item *item;

	if (set->room == 0)
		return NULL;
	item = place_of(set, id);
	return item->used ? item : NULL;
}
