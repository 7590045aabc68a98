/* SPDX-License-Identifier: Apache-2.0 */
/* Removing packs: what is needed of them is copied, and the index changed, before. */
#include <stdlib.h>
#include <unistd.h>

#include "base/own.h"
#include "stellarium/image/gc.h"
#include "stellarium/image/image.h"

static int take_place(void *ctx, const struct stel_id *id, const struct index_place *place,
		      struct verr *e)
{
	struct gc *g = ctx;
	size_t room = g->moved_room == 0 ? 1024 : 2 * g->moved_room;
	struct gc_moved *more;

	if (g->moved_count == g->moved_room) {
		more = realloc(g->moved, room * sizeof(*more));
		if (more == NULL)
			return verr_host(e, "out of memory");
		g->moved = more;
		g->moved_room = room;
	}
	g->moved[g->moved_count++] = (struct gc_moved){.id = *id, .to = *place};
	return 0;
}

enum copy_result { COPY_OK, COPY_DAMAGED, COPY_FAULT };

static enum copy_result copy_entry(struct gc *g, const struct packs_walk *w, uint32_t i,
				   struct verr *e)
{
	const struct pack_entry *entry = &w->entries[i];
	struct index_place place;
	struct packer_chunk chunk = {
		.id = entry->id, .raw = entry->raw, .codec = entry->codec, .kind = entry->kind};

	if (idset_find(&g->census.chunks, &entry->id) == NULL)
		return COPY_OK;
	switch (index_find(g->view, &entry->id, &place, e)) {
	case INDEX_FAULT:
		return COPY_FAULT;
	case INDEX_ABSENT:
		return COPY_OK;
	case INDEX_FOUND:
		break;
	}
	if (place.pack != w->id || place.offset != w->at + entry->at)
		return COPY_OK;
	switch (packs_read(&g->s->packs, &place, g->s->stored, e)) {
	case PACKS_FAULT:
		return COPY_FAULT;
	case PACKS_ABSENT:
	case PACKS_DAMAGED:
		*e = (struct verr)VERR_INIT;
		return COPY_DAMAGED;
	case PACKS_OK:
		break;
	}
	chunk.stored = bytes_of(g->s->stored, place.stored);
	/* As it was, for whoever maps it: see packer.h. */
	g->packer.aligned = place.offset % PACK_PAGE == 0;
	g->copied += place.stored;
	gc_find(g, w->id)->copied += place.stored;
	if (packer_add(&g->packer, &chunk, take_place, g, e) < 0 ||
	    watch_go_on(g->watch, g->copied, g->to_copy, e) < 0)
		return COPY_FAULT;
	return COPY_OK;
}

/* A pack with damage stays: verify can tell of it, and what is whole in it is still of use. */
static int copy_pack(struct gc *g, struct gc_pack *pack, struct verr *e)
{
	struct packs_walk *w = NULL;
	enum packs_result r = packs_walk_open(&g->s->packs, pack->id, &w, e);
	enum copy_result copied = COPY_OK;

	while (copied == COPY_OK && r == PACKS_OK && (r = packs_walk_next(w, e)) == PACKS_OK)
		for (uint32_t i = 0; i < w->segment.count && copied == COPY_OK; i++)
			copied = copy_entry(g, w, i, e);
	(void)packs_walk_close(w);
	if (r == PACKS_FAULT || copied == COPY_FAULT)
		return -1;
	if (r == PACKS_DAMAGED)
		*e = (struct verr)VERR_INIT;
	if (copied == COPY_DAMAGED || pack->copied != pack->live)
		pack->leaving = false;
	return 0;
}

/* The index, not the packs, says what it has in a pack that is leaving: no entry may stay behind.
 */
static int sort_entry(void *ctx, const struct stel_id *id, const struct index_place *place,
		      struct verr *e)
{
	struct gc *g = ctx;
	struct gc_pack *pack = gc_find(g, place->pack);
	size_t room = g->dead_room == 0 ? 1024 : 2 * g->dead_room;
	struct stel_id *more;

	if (pack == NULL || !pack->leaving)
		return 0;
	if (idset_find(&g->census.chunks, id) != NULL) {
		pack->live += place->stored;
		g->to_copy += place->stored;
		return 0;
	}
	if (g->dead_count == g->dead_room) {
		more = realloc(g->dead, room * sizeof(*more));
		if (more == NULL)
			return verr_host(e, "out of memory");
		g->dead = more;
		g->dead_room = room;
	}
	g->dead[g->dead_count++] = *id;
	return 0;
}

static int delete_dead(struct gc *g, struct index_change *change, struct verr *e)
{
	struct index_place place;

	for (size_t i = 0; i < g->dead_count; i++) {
		struct gc_pack *pack;

		switch (index_find(index_change_view(change), &g->dead[i], &place, e)) {
		case INDEX_FAULT:
			return -1;
		case INDEX_ABSENT:
			continue;
		case INDEX_FOUND:
			break;
		}
		/* Somebody may have stored it anew meanwhile. */
		pack = gc_find(g, place.pack);
		if (pack != NULL && pack->leaving && index_delete(change, &g->dead[i], e) < 0)
			return -1;
	}
	return 0;
}

static int put_moved(struct gc *g, struct index_change *change, struct verr *e)
{
	struct index_place place;

	for (size_t i = 0; i < g->moved_count; i++) {
		struct gc_pack *pack;

		switch (index_find(index_change_view(change), &g->moved[i].id, &place, e)) {
		case INDEX_FAULT:
			return -1;
		case INDEX_ABSENT:
			continue;
		case INDEX_FOUND:
			break;
		}
		/* Somebody may have stored it anew meanwhile. */
		pack = gc_find(g, place.pack);
		if (pack != NULL && pack->leaving &&
		    index_put(change, &g->moved[i].id, &g->moved[i].to, e) < 0)
			return -1;
	}
	return 0;
}

static int change_index(struct gc *g, struct verr *e)
{
	struct index_change *change;
	int r;

	if (index_change_begin(g->s->index, &change, e) < 0)
		return -1;
	r = put_moved(g, change, e);
	if (r == 0)
		r = delete_dead(g, change, e);
	if (r == 0)
		r = index_clear_leaving(change, e);
	if (r < 0) {
		(void)index_change_abort(change);
		return -1;
	}
	g->packer.made_count = 0; /* the index may know of them from here on */
	return index_change_commit(&change, e);
}

static void unlink_packs(struct gc *g)
{
	char name[PACK_NAME];

	for (size_t i = 0; i < g->packs_count; i++) {
		if (!g->packs[i].leaving)
			continue;
		packs_forget(&g->s->packs, g->packs[i].id);
		pack_name(g->packs[i].id, name);
		if (unlinkat(g->s->packs_dir, name, 0) < 0)
			continue; /* the next time */
		g->out->freed += g->packs[i].size;
		g->out->packs_removed++;
	}
	g->out->freed -= MIN(g->out->freed, g->copied);
}

int gc_sweep(struct gc *g, struct verr *e)
{
	bool any = false;

	for (size_t i = 0; i < g->packs_count; i++)
		g->packs[i].live = 0;
	if (index_walk(g->view, sort_entry, g, e) < 0)
		return -1;
	for (size_t i = 0; i < g->packs_count; i++) {
		if (!g->packs[i].leaving)
			continue;
		if (copy_pack(g, &g->packs[i], e) < 0)
			return -1;
		any = any || g->packs[i].leaving;
		g->out->packs_rewritten += g->packs[i].leaving && g->packs[i].live > 0;
	}
	if (!any)
		return 0;
	if (packer_sync(&g->packer, take_place, g, e) < 0 ||
	    watch_go_on(g->watch, g->copied, g->to_copy, e) < 0 || change_index(g, e) < 0)
		return -1;
	unlink_packs(g);
	return 0;
}
