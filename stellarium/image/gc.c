/* SPDX-License-Identifier: Apache-2.0 */
/* Deciding what is garbage: gc.h says in what order, and why. */
#include "stellarium/image/gc.h"

#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "stellarium/image/image.h"
#include "stellarium/image/unpack.h"
#include "stellarium/store/file.h"

/* So many packs that are so small become one. */
#define SMALL MIB(4)
#define SMALL_MANY 16

struct gc_pack *gc_find(const struct gc *g, uint64_t id)
{
	size_t low = 0, high = g->packs_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (g->packs[middle].id == id)
			return &g->packs[middle];
		if (g->packs[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static int set_leaving(struct gc *g, struct verr *e)
{
	struct index_change *change;
	int r;

	if (index_change_begin(g->s->index, &change, e) < 0)
		return -1;
	r = index_clear_leaving(change, e);
	for (size_t i = 0; i < g->packs_count && r == 0; i++)
		if (g->packs[i].leaving)
			r = index_set_leaving(change, g->packs[i].id, true, e);
	if (r == 0)
		r = index_change_commit(&change, e);
	(void)index_change_abort(r == 0 ? NULL : change);
	return r;
}

/* One whose head is damaged has nothing here: what the index has there is not lost for it, since
 * gc_sweep() keeps a pack of which it cannot copy all that is needed. */
static int size_pack(struct gc *g, struct gc_pack *pack, struct verr *e)
{
	struct verr why = VERR_INIT;
	struct packs_walk *w = NULL;
	enum packs_result r = packs_walk_open(&g->s->packs, pack->id, &w, &why);

	if (r == PACKS_OK)
		pack->size = w->size;
	while (r == PACKS_OK && (r = packs_walk_next(w, &why)) == PACKS_OK)
		for (uint32_t i = 0; i < w->segment.count; i++)
			pack->all += w->entries[i].stored;
	(void)packs_walk_close(w);
	if (r != PACKS_FAULT)
		return 0;
	*e = why;
	return -1;
}

static int list_packs(struct gc *g, struct verr *e)
{
	auto_free uint64_t *ids = NULL;

	if (packs_list(&g->s->packs, &ids, &g->packs_count, e) < 0)
		return -1;
	g->packs = calloc(g->packs_count + 1, sizeof(*g->packs));
	if (g->packs == NULL) {
		g->packs_count = 0;
		return verr_host(e, "out of memory");
	}
	for (size_t i = 0; i < g->packs_count; i++)
		g->packs[i].id = ids[i];
	return 0;
}

/*
 * Add what a lease on an image leads to. The image may be gone: whoever leases it looks at the name
 * once more afterwards, and will see that. So what cannot be read here is passed over.
 */
static void pass_over(void *ctx, const struct stel_id *id, const struct verr *why)
{
	(void)ctx;
	(void)id;
	(void)why;
}

static int spare_chunk(void *ctx, const struct stel_id *id, uint64_t offset, uint32_t len,
		       struct verr *e)
{
	struct gc *g = ctx;
	struct index_place place;
	struct gc_pack *pack;

	(void)offset;
	(void)len;
	if (idset_add(&g->census.chunks, id, NULL, e) == NULL)
		return -1;
	switch (index_find(g->view, id, &place, e)) {
	case INDEX_FAULT:
		return -1;
	case INDEX_ABSENT:
		return 0;
	case INDEX_FOUND:
		break;
	}
	pack = gc_find(g, place.pack);
	if (pack != NULL)
		pack->spared = true; /* it may be open, and its pages in use */
	return 0;
}

static enum manifest_step spare_node(void *ctx, const struct stel_id *id, struct verr *e)
{
	return spare_chunk(ctx, id, 0, 0, e) < 0 ? MANIFEST_STOP : MANIFEST_ENTER;
}

static int spare_pins(struct gc *g, struct verr *e)
{
	const struct manifest_visitor visitor = {
		.node = spare_node, .chunk = spare_chunk, .damage = pass_over, .ctx = g};
	struct lease_pins pins;
	int r = lease_pins_read(&pins, g->s->leases_dir, &g->s->store, e);

	for (size_t i = 0; i < g->packs_count && r == 0; i++)
		if (lease_pins_have_pack(&pins, g->packs[i].id))
			g->packs[i].spared = true;
	for (size_t i = 0; i < pins.images_count && r == 0; i++)
		r = manifest_walk(g->s, g->view, &pins.images[i], &visitor, e);
	lease_pins_deinit(&pins);
	return r;
}

static int mark_names(struct gc *g, struct verr *e)
{
	struct names names;
	int r;

	if (names_read(&names, g->s->dir, &g->s->store, e) < 0)
		return -1;
	r = index_view_renew(g->view, e);
	if (r == 0)
		r = census_add_names(&g->census, g->s, g->view, &names, e);
	names_deinit(&names);
	return r;
}

static int count_live(struct gc *g, struct verr *e)
{
	struct index_place place;
	struct gc_pack *pack;

	for (size_t i = 0; i < g->census.chunks.room; i++) {
		const struct idset_item *item = &g->census.chunks.items[i];

		if (!item->used)
			continue;
		switch (index_find(g->view, &item->id, &place, e)) {
		case INDEX_FAULT:
			return -1;
		case INDEX_ABSENT:
			continue;
		case INDEX_FOUND:
			break;
		}
		pack = gc_find(g, place.pack);
		if (pack != NULL)
			pack->live += place.stored;
	}
	return 0;
}

static void choose(struct gc *g)
{
	size_t small = 0;

	for (size_t i = 0; i < g->packs_count; i++)
		small += !g->packs[i].spared && g->packs[i].all < SMALL;
	for (size_t i = 0; i < g->packs_count; i++) {
		struct gc_pack *pack = &g->packs[i];
		bool garbage = pack->live == 0 || pack->live < pack->all / 2;

		if (garbage && pack->spared)
			g->out->packs_in_use++;
		pack->leaving =
			!pack->spared && (garbage || (small >= SMALL_MANY && pack->all < SMALL));
	}
}

static int mark(struct gc *g, struct verr *e)
{
	if (set_leaving(g, e) < 0 || list_packs(g, e) < 0 || mark_names(g, e) < 0 ||
	    spare_pins(g, e) < 0)
		return -1;
	for (size_t i = 0; i < g->packs_count; i++)
		if (size_pack(g, &g->packs[i], e) < 0)
			return -1;
	return count_live(g, e);
}

/* Steps 3 to 6. */
static int collect(struct gc *g, struct verr *e)
{
	choose(g);
	if (set_leaving(g, e) < 0 || spare_pins(g, e) < 0)
		return -1;
	for (size_t i = 0; i < g->packs_count; i++)
		if (g->packs[i].spared)
			g->packs[i].leaving = false;
	if (mark_names(g, e) < 0 || spare_pins(g, e) < 0 || gc_sweep(g, e) < 0)
		return -1;
	/* Those that stay after all are not leaving. */
	return g->out->packs_removed > 0 ? 0 : set_leaving(g, e);
}

static int run(struct gc *g, struct verr *e)
{
	struct verr ignored = VERR_INIT;

	if (index_view_open(g->s->index, &g->view, e) < 0 ||
	    lease_take(&g->lease, g->s->leases_dir, &g->s->store, e) < 0 ||
	    packer_init(&g->packer, g->s->packs_dir, &g->s->store, &g->lease, e) < 0 ||
	    mark(g, e) < 0)
		return -1;
	if (collect(g, e) == 0)
		return 0;
	/* None is leaving after all. */
	for (size_t i = 0; i < g->packs_count; i++)
		g->packs[i].leaving = false;
	(void)!set_leaving(g, &ignored);
	return -1;
}

/* What the index does not know of. */
static void remove_copies(const struct gc *g)
{
	char name[PACK_NAME];

	for (size_t i = 0; i < g->packer.made_count; i++) {
		pack_name(g->packer.made[i], name);
		(void)unlinkat(g->s->packs_dir, name, 0);
	}
}

static int run_locked(struct gc *g, struct verr *e)
{
	int r = run(g, e);

	remove_copies(g);
	packer_deinit(&g->packer);
	lease_drop(&g->lease);
	g->view = index_view_close(g->view);
	census_deinit(&g->census);
	free(g->packs);
	free(g->moved);
	free(g->dead);
	return r;
}

/* Files that were made of images, and that nobody uses. */
static void remove_unpacked(const struct stel *s, struct stel_gc *out)
{
	auto_fd room = unpack_room(s);

	if (room >= 0)
		unpack_tidy(room, true, &out->freed);
}

int stel_gc(struct stel *s, const struct stel_watch *watch, struct stel_gc *out, struct verr *e)
{
	struct gc g = {.s = s,
		       .watch = watch,
		       .out = out,
		       .census = CENSUS_INIT,
		       .lease = LEASE_INIT,
		       .packer = PACKER_INIT};
	int r = -1;

	*out = (struct stel_gc){0};
	switch (file_lock(s->gc, "gc", LOCK_EX | LOCK_NB, e)) {
	case FILE_FAULT:
		break;
	case FILE_BUSY:
		(void)verr_state(e, "somebody collects garbage, or verifies the store");
		break;
	case FILE_LOCKED:
		r = run_locked(&g, e);
		remove_unpacked(s, out);
		(void)flock(s->gc, LOCK_UN);
		break;
	}
	return r;
}
