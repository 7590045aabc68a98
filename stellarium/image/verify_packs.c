/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packs against the index. What a pack has and the index does not know of is what somebody who was
 * killed has left: it may be anything, and is no damage.
 */
#include <stdlib.h>

#include "base/own.h"
#include "stellarium/chunk/cut.h"
#include "stellarium/chunk/hash.h"
#include "stellarium/image/image.h"
#include "stellarium/image/verify.h"

static int compare_packs(const void *a, const void *b)
{
	const struct verify_pack *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static struct verify_pack *find_pack(const struct verify *v, uint64_t id)
{
	const struct verify_pack key = {.id = id};

	if (v->packs_count == 0)
		return NULL;
	return bsearch(&key, v->packs, v->packs_count, sizeof(key), compare_packs);
}

static int insert_pack(struct verify *v, uint64_t id, struct verr *e)
{
	size_t room = v->packs_room == 0 ? 64 : 2 * v->packs_room, at = v->packs_count;
	struct verify_pack *more;

	if (v->packs_count == v->packs_room) {
		more = realloc(v->packs, room * sizeof(*more));
		if (more == NULL)
			return verr_host(e, "out of memory");
		v->packs = more;
		v->packs_room = room;
	}
	for (; at > 0 && v->packs[at - 1].id > id; at--)
		v->packs[at] = v->packs[at - 1];
	v->packs[at] = (struct verify_pack){.id = id};
	v->packs_count++;
	return 0;
}

static int count_entry(void *ctx, const struct stel_id *id, const struct index_place *place,
		       struct verr *e)
{
	struct verify *v = ctx;
	struct verify_pack *pack = find_pack(v, place->pack);

	(void)id;
	if (pack == NULL && insert_pack(v, place->pack, e) < 0)
		return -1;
	pack = find_pack(v, place->pack);
	pack->expected++;
	pack->bytes += place->stored;
	v->bytes += place->stored;
	return 0;
}

int verify_index(struct verify *v, struct verr *e)
{
	if (index_walk(v->view, count_entry, v, e) == 0)
		return 0;
	if (e->kind != VERR_CORRUPT)
		return -1;
	verify_say(v, NULL, "%s", e->text);
	*e = (struct verr)VERR_INIT;
	return -1;
}

static bool same_place(const struct index_place *a, const struct index_place *b)
{
	return a->pack == b->pack && a->offset == b->offset && a->checksum == b->checksum &&
	       a->raw == b->raw && a->stored == b->stored && a->codec == b->codec &&
	       a->kind == b->kind;
}

static bool is_right(struct verify *v, const struct pack_entry *entry,
		     const struct index_place *place, const uint8_t *stored, uint8_t *raw)
{
	struct verr ignored = VERR_INIT;

	return chunk_checksum(stored, entry->stored) == entry->checksum &&
	       cas_expand(v->s, &entry->id, place, stored, raw, &ignored) == CAS_OK;
}

/* A segment's bytes that are in no chunk, head or table are zero. */
static bool padding_is_zero(const struct packs_walk *w, const uint8_t *segment)
{
	size_t used = PACK_HEAD + (size_t)w->segment.count * PACK_ENTRY;

	for (uint32_t i = 0; i < w->segment.count; i++) {
		if (!chunk_is_zero(segment + used, w->entries[i].at - used))
			return false;
		used = (size_t)w->entries[i].at + w->entries[i].stored;
	}
	return chunk_is_zero(segment + used, (size_t)w->segment.len - used);
}

static int verify_entry(struct verify *v, const struct packs_walk *w, uint32_t i,
			const uint8_t *segment, uint8_t *raw, struct verr *e)
{
	const struct pack_entry *entry = &w->entries[i];
	struct index_place here = packs_walk_place(w, entry), place;
	struct verify_pack *pack = find_pack(v, w->id);
	struct idset_item *item;
	char text[STEL_ID_TEXT];

	switch (index_find(v->view, &entry->id, &place, e)) {
	case INDEX_FAULT:
		return -1;
	case INDEX_ABSENT:
		return 0;
	case INDEX_FOUND:
		break;
	}
	if (pack == NULL || !same_place(&here, &place))
		return 0;
	pack->found++;
	v->out->chunks++;
	v->out->bytes += entry->stored;
	if (!is_right(v, entry, &place, segment + entry->at, raw)) {
		stel_id_text(&entry->id, text);
		verify_say(v, NULL, "pack %016llx at byte %llu: chunk %.16s is damaged",
			   (unsigned long long)w->id, (unsigned long long)here.offset, text);
		return 0;
	}
	item = idset_add(&v->chunks, &entry->id, NULL, e);
	if (item == NULL)
		return -1;
	item->value = entry->raw;
	return watch_go_on(v->watch, v->out->bytes, v->bytes, e);
}

static int verify_segment(struct verify *v, struct packs_walk *w, uint8_t *segment, uint8_t *raw,
			  struct verr *e)
{
	uint64_t known = v->out->chunks;

	if (packs_walk_read(w, segment, e) < 0)
		return -1;
	for (uint32_t i = 0; i < w->segment.count; i++)
		if (verify_entry(v, w, i, segment, raw, e) < 0)
			return -1;
	if (v->out->chunks > known && !padding_is_zero(w, segment))
		verify_say(v, NULL,
			   "pack %016llx: bytes between chunks of the segment at byte %llu "
			   "are damaged",
			   (unsigned long long)w->id, (unsigned long long)w->at);
	return 0;
}

static int walk_pack(struct verify *v, uint64_t id, uint8_t *segment, uint8_t *raw, struct verr *e)
{
	struct packs_walk *w = NULL;
	enum packs_result r = packs_walk_open(&v->s->packs, id, &w, e);

	while (r == PACKS_OK && (r = packs_walk_next(w, e)) == PACKS_OK)
		if (verify_segment(v, w, segment, raw, e) < 0)
			r = PACKS_FAULT;
	(void)packs_walk_close(w);
	if (r == PACKS_ABSENT)
		return 0;
	if (r == PACKS_FAULT)
		return -1;
	verify_say(v, NULL, "%s", e->text);
	*e = (struct verr)VERR_INIT;
	return 0;
}

int verify_packs(struct verify *v, struct verr *e)
{
	uint8_t *segment = v->segment, *raw = v->raw;

	for (size_t i = 0; i < v->packs_count; i++) {
		struct verify_pack *pack = &v->packs[i];

		if (walk_pack(v, pack->id, segment, raw, e) < 0)
			return -1;
		if (pack->found < pack->expected)
			verify_say(v, NULL,
				   "pack %016llx: %llu of the %llu chunks that the index "
				   "has there are missing",
				   (unsigned long long)pack->id,
				   (unsigned long long)(pack->expected - pack->found),
				   (unsigned long long)pack->expected);
	}
	return 0;
}
