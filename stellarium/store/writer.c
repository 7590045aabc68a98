/* SPDX-License-Identifier: Apache-2.0 */
#include "stellarium/store/writer.h"

#include <stdlib.h>
#include <unistd.h>

#include "stellarium/chunk/hash.h"

#define PENDING_MAX (1U << 18) /* then the index is told: bounds memory */
#define RENEW_EVERY \
	(1U << 14) /* lookups: an old view keeps the index from using its space again \
		    */

struct writer_placed {
	struct stel_id id;
	struct index_place place;
};

int writer_open(struct writer *w, struct stel *s, bool aligned, struct verr *e)
{
	*w = (struct writer)WRITER_INIT;
	w->s = s;
	if (lease_take(&w->lease, s->leases_dir, &s->store, e) < 0 ||
	    packer_init(&w->packer, s->packs_dir, &s->store, &w->lease, e) < 0 ||
	    index_view_open(s->index, &w->view, e) < 0)
		return -1;
	w->packer.aligned = aligned;
	return 0;
}

/* Those that the index never heard of: so nobody else did. */
static void remove_packs(const struct writer *w)
{
	char name[PACK_NAME];

	for (size_t i = 0; i < w->packer.made_count; i++) {
		pack_name(w->packer.made[i], name);
		(void)unlinkat(w->s->packs_dir, name, 0);
	}
}

void writer_close(struct writer *w)
{
	if (w->s != NULL)
		remove_packs(w);
	w->view = index_view_close(w->view);
	packer_deinit(&w->packer);
	lease_drop(&w->lease);
	idset_deinit(&w->pending);
	free(w->placed);
	*w = (struct writer)WRITER_INIT;
}

/* A pack that is missing or damaged is no place to rely on: what it had is stored anew. */
static enum writer_result check_pack(struct writer *w, uint64_t pack, struct verr *e)
{
	struct verr why = VERR_INIT;

	switch (packs_check(&w->s->packs, pack, &why)) {
	case PACKS_OK:
		return WRITER_KNOWN;
	case PACKS_ABSENT:
	case PACKS_DAMAGED:
		return WRITER_NEW;
	case PACKS_FAULT:
		break;
	}
	*e = why;
	return WRITER_FAULT;
}

/*
 * A chunk may be relied on when its pack is pinned. The pin may come too late, when garbage
 * collection has decided on the pack already: so the index, as it is after the pin, must still have
 * it there, in a pack that is not leaving. (Garbage collection looks at pins after it has made that
 * known: image/gc.c.)
 */
static enum writer_result pin(struct writer *w, const struct stel_id *id, struct index_view *view,
			      bool renew, struct verr *e)
{
	struct index_place place;
	enum writer_result r;

	for (;;) {
		switch (index_find(view, id, &place, e)) {
		case INDEX_FAULT:
			return WRITER_FAULT;
		case INDEX_ABSENT:
			return WRITER_NEW;
		case INDEX_FOUND:
			break;
		}
		if (lease_has_pack(&w->lease, place.pack))
			return WRITER_KNOWN;
		if (renew && index_view_renew(view, e) < 0)
			return WRITER_FAULT;
		switch (index_is_leaving(view, place.pack, e)) {
		case INDEX_FAULT:
			return WRITER_FAULT;
		case INDEX_FOUND:
			return WRITER_NEW;
		case INDEX_ABSENT:
			break;
		}
		r = check_pack(w, place.pack, e);
		if (r != WRITER_KNOWN)
			return r;
		if (lease_pin_pack(&w->lease, place.pack, e) < 0 ||
		    (renew && index_view_renew(view, e) < 0))
			return WRITER_FAULT;
		switch (index_is_leaving(view, place.pack, e)) {
		case INDEX_FAULT:
			return WRITER_FAULT;
		case INDEX_FOUND:
			lease_forget_pack(&w->lease, place.pack);
			return WRITER_NEW;
		case INDEX_ABSENT:
			break;
		}
	}
}

enum writer_result writer_know(struct writer *w, const struct stel_id *id, struct verr *e)
{
	struct idset_item *item;
	enum writer_result r;

	if (idset_find(&w->pending, id) != NULL)
		return WRITER_KNOWN;
	if (++w->lookups % RENEW_EVERY == 0 && index_view_renew(w->view, e) < 0)
		return WRITER_FAULT;
	r = pin(w, id, w->view, true, e);
	if (r != WRITER_NEW)
		return r;
	item = idset_add(&w->pending, id, NULL, e);
	return item == NULL ? WRITER_FAULT : WRITER_NEW;
}

static int take_place(void *ctx, const struct stel_id *id, const struct index_place *place,
		      struct verr *e)
{
	struct writer *w = ctx;
	struct idset_item *item = idset_find(&w->pending, id);
	size_t room = w->placed_room == 0 ? 1024 : 2 * w->placed_room;
	struct writer_placed *more;

	if (w->placed_count == w->placed_room) {
		more = realloc(w->placed, room * sizeof(*more));
		if (more == NULL)
			return verr_host(e, "out of memory");
		w->placed = more;
		w->placed_room = room;
	}
	w->placed[w->placed_count++] = (struct writer_placed){.id = *id, .place = *place};
	if (item != NULL)
		item->value = 1;
	return 0;
}

int writer_add(struct writer *w, const struct packer_chunk *chunk, struct verr *e)
{
	if (packer_add(&w->packer, chunk, take_place, w, e) < 0)
		return -1;
	return w->placed_count >= PENDING_MAX ? writer_commit(w, e) : 0;
}

int writer_add_node(struct writer *w, const struct stel_id *id, struct bytes node, uint64_t *stored,
		    struct verr *e)
{
	const struct packer_chunk chunk = {.id = *id,
					   .raw = (uint32_t)node.len,
					   .codec = STEL_CODEC_NONE,
					   .kind = PACK_NODE,
					   .stored = node};

	switch (writer_know(w, id, e)) {
	case WRITER_FAULT:
		return -1;
	case WRITER_KNOWN:
		return 0;
	case WRITER_NEW:
		break;
	}
	*stored += node.len;
	return writer_add(w, &chunk, e);
}

static int compare_ids(const void *a, const void *b)
{
	const struct writer_placed *x = a, *y = b;

	return memcmp(x->id.bytes, y->id.bytes, sizeof(x->id.bytes));
}

/* What somebody else has put there meanwhile stays, pinned; our copy is garbage then. */
static int put_all(struct writer *w, struct index_change *change, struct verr *e)
{
	struct index_view *view = index_change_view(change);

	/* In the index's order: that is kinder to it. */
	qsort(w->placed, w->placed_count, sizeof(*w->placed), compare_ids);
	for (size_t i = 0; i < w->placed_count; i++) {
		switch (pin(w, &w->placed[i].id, view, false, e)) {
		case WRITER_FAULT:
			return -1;
		case WRITER_KNOWN:
			break;
		case WRITER_NEW:
			if (index_put(change, &w->placed[i].id, &w->placed[i].place, e) < 0)
				return -1;
		}
	}
	return 0;
}

/* What is announced and not yet added stays so. */
static int forget_placed(struct writer *w, struct verr *e)
{
	struct idset rest = IDSET_INIT;
	int r = 0;

	for (size_t i = 0; i < w->pending.room && r == 0; i++)
		if (w->pending.items[i].used && w->pending.items[i].value == 0)
			r = idset_add(&rest, &w->pending.items[i].id, NULL, e) == NULL ? -1 : 0;
	idset_deinit(&w->pending);
	w->pending = rest;
	w->placed_count = 0;
	return r;
}

int writer_commit(struct writer *w, struct verr *e)
{
	struct index_change *change;

	if (packer_sync(&w->packer, take_place, w, e) < 0)
		return -1;
	if (w->placed_count == 0)
		return 0;
	if (index_change_begin(w->s->index, &change, e) < 0)
		return -1;
	if (put_all(w, change, e) < 0) {
		(void)index_change_abort(change);
		return -1;
	}
	/* Whatever becomes of it: the index may know of them from here on. */
	w->packer.made_count = 0;
	if (index_change_commit(&change, e) < 0 || forget_placed(w, e) < 0)
		return -1;
	return index_view_renew(w->view, e);
}
