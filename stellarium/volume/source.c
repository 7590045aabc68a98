/* SPDX-License-Identifier: Apache-2.0 */
#include "stellarium/volume/source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/own.h"
#include "stellarium/chunk/cut.h"
#include "stellarium/chunk/hash.h"
#include "stellarium/volume/vec.h"

/* Descriptors are few: a store with so many packs in one image wants to be tidied up. */
#define PACKS_MAX 512

#define TRIES 100 /* of opening packs that garbage collection moves chunks out of meanwhile */

/* -- opening */

static int reserve_table(struct source *src, size_t count, struct verr *e)
{
	void *p;

	src->count = count;
	src->places_bytes = MAX(count, 1) * sizeof(*src->places);
	p = mmap(NULL, src->places_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		 0);
	if (p == MAP_FAILED) {
		src->places_bytes = 0;
		return verr_host(e, "out of memory");
	}
	src->places = p;
	src->verified = calloc(MAX(count, 1), sizeof(*src->verified));
	src->packs = malloc(PACKS_MAX * sizeof(*src->packs));
	return src->verified == NULL || src->packs == NULL ? verr_host(e, "out of memory") : 0;
}

/* Ids of the packs that are open, by the index of their descriptor. */
struct opened {
	uint64_t ids[PACKS_MAX];
	size_t last; /* most chunks are in the pack of the one before */
};

static bool find_pack(const struct source *src, struct opened *opened, uint64_t id, uint32_t *index)
{
	if (src->packs_count > 0 && opened->ids[opened->last] == id) {
		*index = (uint32_t)opened->last;
		return true;
	}
	for (size_t i = 0; i < src->packs_count; i++) {
		if (opened->ids[i] == id) {
			opened->last = i;
			*index = (uint32_t)i;
			return true;
		}
	}
	return false;
}

/*
 * Pinned, so that it is not removed while we have it open; that it is open is what counts: its
 * bytes stay until it is closed.
 */
static enum packs_result add_pack(struct source *src, struct stel *s, struct opened *opened,
				  uint64_t id, uint32_t *index, struct verr *e)
{
	enum packs_result r;

	if (find_pack(src, opened, id, index))
		return PACKS_OK;
	if (src->packs_count == PACKS_MAX) {
		(void)verr_state(e,
				 "its chunks are in more than %d packs; stellarium gc joins them",
				 PACKS_MAX);
		return PACKS_FAULT;
	}
	if (lease_pin_pack(&src->lease, id, e) < 0)
		return PACKS_FAULT;
	r = packs_open(&s->packs, id, &src->packs[src->packs_count], e);
	if (r != PACKS_OK)
		return r;
	opened->last = src->packs_count;
	opened->ids[src->packs_count] = id;
	*index = (uint32_t)src->packs_count++;
	return PACKS_OK;
}

static int is_missing(const struct stel_id *id, struct verr *e)
{
	char text[STEL_ID_TEXT];

	stel_id_text(id, text);
	return verr_corrupt(e, "chunk %.16s is missing", text);
}

/* Garbage collection may have moved it since: then the index of now says where to. */
static int place_chunk(struct source *src, struct stel_image *image, struct opened *opened,
		       const struct manifest_piece *piece, struct source_place *out, struct verr *e)
{
	struct index_place place;

	for (int i = 0; i < TRIES; i++) {
		switch (index_find(image->view, &piece->id, &place, e)) {
		case INDEX_FAULT:
			return -1;
		case INDEX_ABSENT:
			return is_missing(&piece->id, e);
		case INDEX_FOUND:
			break;
		}
		if (place.raw != piece->len || place.raw > CHUNK_MAX || place.stored > place.raw ||
		    (place.codec == STEL_CODEC_NONE && place.stored != place.raw))
			return verr_corrupt(e, "the index is wrong about a chunk's length");
		*out = (struct source_place){.offset = piece->offset,
					     .at = place.offset,
					     .raw = place.raw,
					     .stored = place.stored,
					     .codec = place.codec,
					     .id = piece->id};
		switch (add_pack(src, image->s, opened, place.pack, &out->pack, e)) {
		case PACKS_FAULT:
		case PACKS_DAMAGED:
			return -1;
		case PACKS_OK:
			return 0;
		case PACKS_ABSENT:
			break;
		}
		if (index_view_renew(image->view, e) < 0)
			return -1;
	}
	return verr_corrupt(e, "there is no pack %016llx", (unsigned long long)place.pack);
}

static int resolve(struct source *src, struct stel_image *image, struct verr *e)
{
	const struct manifest *m = &image->manifest;
	struct opened *opened = calloc(1, sizeof(*opened));
	int r;

	if (opened == NULL)
		return verr_host(e, "out of memory");
	r = reserve_table(src, m->count, e);
	for (size_t i = 0; i < m->count && r == 0; i++) {
		r = place_chunk(src, image, opened, &m->pieces[i], &src->places[i], e);
		src->raw_max = MAX(src->raw_max, src->places[i].raw);
		src->stored_max = MAX(src->stored_max, src->places[i].stored);
	}
	free(opened);
	if (r == 0 && mprotect(src->places, src->places_bytes, PROT_READ) < 0)
		return verr_os(e, "protect the table of chunks");
	return r;
}

int source_open(struct source *src, struct stel_image *image, const char *name, struct verr *e)
{
	*src = (struct source)SOURCE_INIT;
	src->size = image->manifest.root.size;
	src->id = image->id;
	(void)snprintf(src->name, sizeof(src->name), "%s", name);
	src->lease = image->lease;
	image->lease = (struct lease)LEASE_INIT;
	return resolve(src, image, e) < 0 ? verr_note(e, "image %s", name) : 0;
}

void source_close(struct source *src)
{
	for (size_t i = 0; i < src->packs_count; i++)
		fd_close(&src->packs[i]);
	free(src->packs);
	free((void *)src->verified);
	if (src->places != NULL)
		(void)munmap(src->places, src->places_bytes);
	fd_close(&src->lease.fd);
	free(src->lease.packs);
	*src = (struct source)SOURCE_INIT;
}

/* -- reading */

size_t source_find(const struct source *src, uint64_t offset)
{
	size_t low = 0, high = src->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (src->places[middle].offset + src->places[middle].raw <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int source_scratch_init(struct source_scratch *scratch, const struct source *src, struct verr *e)
{
	*scratch = (struct source_scratch){.stored = malloc(MAX(src->stored_max, 1)),
					   .raw = malloc(MAX(src->raw_max, 1))};
	if (scratch->stored == NULL || scratch->raw == NULL)
		return verr_host(e, "out of memory");
	return chunk_expander_new(&scratch->expander, e);
}

void source_scratch_deinit(struct source_scratch *scratch)
{
	scratch->expander = chunk_expander_free(scratch->expander);
	free(scratch->stored);
	free(scratch->raw);
	*scratch = (struct source_scratch){0};
}

static int wrong(const struct source *src, const struct source_place *p, int error, struct verr *e)
{
	char text[STEL_ID_TEXT];

	if (error != 0) {
		errno = error;
		(void)verr_os(e, "it cannot be read");
	} else {
		(void)verr_corrupt(e, "it is damaged");
	}
	stel_id_text(&p->id, text);
	return verr_note(e, "image %s: the chunk %.16s at byte %llu", src->name, text,
			 (unsigned long long)p->offset);
}

int source_load(const struct source *src, size_t place, struct source_scratch *scratch,
		uint8_t *out, struct verr *e)
{
	const struct source_place *p = &src->places[place];
	bool plain = p->codec == STEL_CODEC_NONE;
	struct stel_id found;
	int error =
		vec_read_one(src->packs[p->pack], plain ? out : scratch->stored, p->stored, p->at);

	if (error != 0)
		return wrong(src, p, error, e);
	if (!plain && !chunk_expand(scratch->expander, p->codec,
				    bytes_of(scratch->stored, p->stored), out, p->raw))
		return wrong(src, p, 0, e);
	/* What was verified once needs it no more: the pack does not change. */
	if (atomic_load_explicit(&src->verified[place], memory_order_relaxed) != 0)
		return 0;
	found = chunk_hash(out, p->raw);
	if (!chunk_same(&found, &p->id))
		return wrong(src, p, 0, e);
	atomic_store_explicit(&src->verified[place], 1, memory_order_relaxed);
	return 0;
}
