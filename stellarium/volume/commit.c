/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a volume to an image. Chunks end where the content says, so what was not written is cut as
 * it was, but for what is next to something written: cutting begins at the start of the chunk
 * before that, and goes on until a new chunk ends where an old one does and what follows is old.
 * The same rules from the same place on the same content: the image is the one that an import of
 * everything would give.
 */
#include <stdlib.h>

#include "base/own.h"
#include "stellarium/chunk/codec.h"
#include "stellarium/chunk/hash.h"
#include "stellarium/image/names.h"
#include "stellarium/image/split.h"
#include "stellarium/store/file.h"
#include "stellarium/store/writer.h"
#include "stellarium/volume/place.h"

#define STEP KIB(256) /* read at once */

struct commit {
	struct stel *s;
	struct stel_options options;
	const struct stel_watch *watch;
	struct stel_import *out;
	struct overlay overlay;
	struct stel_image *image;
	struct chunk_cut cut;
	struct writer writer;
	struct manifest_builder tree;
	struct chunk_codec *codec;
	uint8_t *data, *packed;
	size_t room, len; /* of data */
	size_t next;      /* the first of the image's pieces that was not passed */
	uint64_t at;      /* of the new image, so far */
};

static uint64_t size_of(const struct commit *c)
{
	return c->image->manifest.root.size;
}

/* -- what goes into the image */

static int emit_node(void *ctx, const struct stel_id *id, struct bytes node, struct verr *e)
{
	struct commit *c = ctx;

	return writer_add_node(&c->writer, id, node, &c->out->stored_new, e);
}

static int store_chunk(struct commit *c, const struct stel_id *id, struct bytes raw, struct verr *e)
{
	struct packer_chunk chunk = {.id = *id,
				     .raw = (uint32_t)raw.len,
				     .codec = STEL_CODEC_NONE,
				     .kind = PACK_DATA,
				     .stored = raw};
	size_t n = chunk_compress(c->codec, c->options.codec, c->options.level, raw, c->packed);

	if (n > 0) {
		chunk.codec = c->options.codec;
		chunk.stored = bytes_of(c->packed, n);
	}
	c->out->chunks_new++;
	c->out->raw_new += raw.len;
	c->out->stored_new += chunk.stored.len;
	return writer_add(&c->writer, &chunk, e);
}

static int add_zeros(struct commit *c, uint64_t len, struct verr *e)
{
	c->at += len;
	return len == 0 ? 0 : manifest_add_zero(&c->tree, len, e);
}

static int add_piece(struct commit *c, const struct split_piece *piece, struct verr *e)
{
	struct bytes raw = bytes_of(c->data + piece->at, (size_t)piece->len);
	struct stel_id id;

	if (piece->zero)
		return add_zeros(c, piece->len, e);
	c->at += piece->len;
	id = chunk_hash(raw.at, raw.len);
	switch (writer_know(&c->writer, &id, e)) {
	case WRITER_FAULT:
		return -1;
	case WRITER_NEW:
		if (store_chunk(c, &id, raw, e) < 0)
			return -1;
		break;
	case WRITER_KNOWN:
		break;
	}
	return manifest_add_chunk(&c->tree, &id, (uint32_t)raw.len, e);
}

/* -- the old image */

/* The piece that ends behind `offset`, or the next one; NULL: none. They are asked for in order. */
static const struct manifest_piece *piece_at(struct commit *c, uint64_t offset)
{
	const struct manifest *m = &c->image->manifest;

	while (c->next > 0 && m->pieces[c->next - 1].offset + m->pieces[c->next - 1].len > offset)
		c->next--;
	while (c->next < m->count && m->pieces[c->next].offset + m->pieces[c->next].len <= offset)
		c->next++;
	return c->next < m->count ? &m->pieces[c->next] : NULL;
}

/* What was written next, from `offset` on; the size: nothing. */
static uint64_t changed_from(const struct commit *c, uint64_t offset)
{
	uint64_t page = offset / OVERLAY_PAGE, pages = c->overlay.pages;
	enum overlay_state state;

	if (page < pages && overlay_state(&c->overlay, page) == OVERLAY_IMAGE)
		page += overlay_run(&c->overlay, page, pages - page, &state);
	return MIN(page * OVERLAY_PAGE, size_of(c));
}

/* Where cutting begins for what was written at `changed`. */
static uint64_t begin_of(struct commit *c, uint64_t changed)
{
	const struct manifest_piece *before;

	if (c->cut.how.method == STEL_CUT_FIXED)
		return changed / c->cut.how.max * c->cut.how.max;
	if (changed == 0 || changed == size_of(c))
		return changed;
	before = piece_at(c, changed - 1);
	return before != NULL && before->offset < changed ? before->offset : changed;
}

/* Is everything from here on, until what was written next, as it was? */
static bool in_sync(struct commit *c)
{
	const struct manifest_piece *old;
	uint64_t changed;

	if (c->at == size_of(c))
		return true;
	/* What is cheap first: how far it is to what was written next is looked for where the old
	 * pieces are likely to be kept until there. */
	old = piece_at(c, c->at);
	if (old != NULL && old->offset <= c->at) {
		if (old->offset < c->at)
			return false;
	} else if (c->at % split_unit(&c->cut.how) != 0) {
		return false;
	}
	changed = changed_from(c, c->at);
	return changed >= c->at && begin_of(c, changed) >= c->at;
}

/* Old pieces, up to a place where one begins, or none is. */
static int keep_until(struct commit *c, uint64_t end, struct verr *e)
{
	while (c->at < end) {
		const struct manifest_piece *old = piece_at(c, c->at);

		if (old == NULL || old->offset >= end)
			return add_zeros(c, end - c->at, e);
		if (add_zeros(c, old->offset - c->at, e) < 0 ||
		    manifest_add_chunk(&c->tree, &old->id, old->len, e) < 0)
			return -1;
		c->at += old->len;
	}
	return 0;
}

/* -- what the volume reads as */

/* How far from `offset` on nothing but zeros is known to be, without a look at any. */
static uint64_t zeros_from(struct commit *c, uint64_t offset)
{
	uint64_t at = offset, size = size_of(c);

	while (at < size) {
		uint64_t page = at / OVERLAY_PAGE, end = size;
		enum overlay_state state = overlay_state(&c->overlay, page);
		const struct manifest_piece *old;

		/* Where there is no hole this is asked for each page: no look at what follows. */
		if (state == OVERLAY_DATA)
			break;
		old = state == OVERLAY_IMAGE ? piece_at(c, at) : NULL;
		if (old != NULL && old->offset <= at)
			break;
		if (old != NULL)
			end = old->offset;
		page += overlay_run(&c->overlay, page, overlay_pages(end) - page, &state);
		at = MIN(page * OVERLAY_PAGE, end);
	}
	return at - offset;
}

/* The same, as the cutter must see holes: whole units, but at the end. */
static uint64_t hole_at(struct commit *c, uint64_t offset)
{
	uint64_t unit = split_unit(&c->cut.how), end;

	if (offset % unit != 0)
		return 0;
	end = offset + zeros_from(c, offset);
	if (end < size_of(c))
		end -= end % unit;
	return end > offset ? end - offset : 0;
}

static int read_volume(const struct commit *c, uint8_t *out, uint64_t offset, size_t len,
		       struct verr *e)
{
	while (len > 0) {
		uint64_t page = offset / OVERLAY_PAGE, past = offset % OVERLAY_PAGE;
		enum overlay_state state;
		uint64_t n = overlay_run(&c->overlay, page, overlay_pages(past + len), &state);
		size_t part = (size_t)MIN(n * OVERLAY_PAGE - past, len), got = 0;

		memset(out, 0, part);
		if (state == OVERLAY_IMAGE && stel_image_read(c->image, out, offset, part, e) < 0)
			return -1;
		if (state == OVERLAY_DATA &&
		    file_pread(c->overlay.fd, "the overlay", out, part,
			       overlay_at(&c->overlay, offset), &got, e) < 0)
			return -1;
		out += part;
		offset += part;
		len -= part;
	}
	return 0;
}

/* -- cutting */

/* Some more data behind what there is, up to a hole, whose length is `*hole`, or the end. */
static int read_more(struct commit *c, uint64_t start, uint64_t *hole, struct verr *e)
{
	uint64_t unit = split_unit(&c->cut.how), want = MIN(STEP, c->room - c->len), at, len;

	*hole = 0;
	while (want > 0 && *hole == 0) {
		at = start + c->len;
		*hole = hole_at(c, at);
		len = MIN(MIN(unit - at % unit, want), size_of(c) - at);
		if (*hole > 0 || len == 0)
			break;
		if (read_volume(c, c->data + c->len, at, (size_t)len, e) < 0)
			return -1;
		c->len += (size_t)len;
		want -= len;
	}
	return 0;
}

/* Cut what there is. What is left belongs to a piece that goes on. */
static int cut(struct commit *c, bool whole, bool *done, struct verr *e)
{
	struct split split = {
		.cut = &c->cut, .data = c->data, .len = c->len, .offset = c->at, .whole = whole};
	struct split_piece piece;

	while (!*done && split_next(&split, &piece)) {
		if (add_piece(c, &piece, e) < 0)
			return -1;
		*done = in_sync(c);
	}
	c->len = split.len - split.at;
	memmove(c->data, c->data + split.at, c->len);
	return watch_go_on(c->watch, c->at, size_of(c), e);
}

/* From c->at on, until all is old again. */
static int cut_until_old(struct commit *c, struct verr *e)
{
	bool done = false;
	uint64_t hole;

	c->len = 0;
	while (!done) {
		if (read_more(c, c->at, &hole, e) < 0 ||
		    cut(c, hole > 0 || c->at + c->len == size_of(c), &done, e) < 0)
			return -1;
		if (done || hole == 0)
			continue;
		if (add_zeros(c, hole, e) < 0)
			return -1;
		done = in_sync(c);
	}
	return 0;
}

static int build(struct commit *c, struct verr *e)
{
	while (c->at < size_of(c)) {
		if (keep_until(c, begin_of(c, changed_from(c, c->at)), e) < 0)
			return -1;
		if (c->at < size_of(c) && cut_until_old(c, e) < 0)
			return -1;
	}
	return manifest_finish(&c->tree, &c->out->id, e);
}

/* -- all of it */

static int prepare(struct commit *c, const char *folder, struct overlay_head *head, struct verr *e)
{
	struct place place = PLACE_INIT;
	enum overlay_found found = OVERLAY_FAULT;
	struct overlay_place at;

	if (place_open(&place, folder, false, false, e) == 0) {
		at = place_overlay(&place);
		found = overlay_open(&c->overlay, &at, OVERLAY_READ, &c->s->store, head, NULL, e);
	}
	if (found == OVERLAY_MISSING)
		(void)verr_invalid(e, "there is no volume");
	place_close(&place);
	if (found != OVERLAY_FOUND ||
	    image_open_id(c->s, &head->image, head->name, &c->image, e) < 0 || c->image == NULL) {
		(void)verr_note(e, "%s", folder);
		return -1;
	}
	if (size_of(c) != head->size)
		return verr_corrupt(e, "%s: its image has another size", folder);
	c->options = c->s->defaults;
	c->options.cut = c->image->manifest.root.cut;
	chunk_cut_init(&c->cut, &c->options.cut);
	manifest_builder_init(&c->tree, &c->options.cut, emit_node, c);
	/* A step more than the largest chunk and the page that may end it. */
	c->room = c->options.cut.max + CHUNK_PAGE + STEP;
	c->data = malloc(c->room);
	c->packed = malloc(c->room);
	if (c->data == NULL || c->packed == NULL)
		return verr_host(e, "out of memory");
	return chunk_codec_new(&c->codec, e) < 0 ||
			       writer_open(&c->writer, c->s, c->options.codec == STEL_CODEC_NONE,
					   e) < 0
		       ? -1
		       : 0;
}

static int run(struct commit *c, const char *folder, const char *name, bool replace, struct verr *e)
{
	struct overlay_head head;

	if (names_check_new(c->s->dir, &c->s->store, name, replace, e) < 0 ||
	    prepare(c, folder, &head, e) < 0 || build(c, e) < 0)
		return -1;
	c->out->size = c->tree.root.size;
	c->out->zero = c->tree.root.zero;
	c->out->chunks = c->tree.root.chunks;
	if (writer_commit(&c->writer, e) < 0)
		return -1;
	return names_give(c->s->dir, &c->s->store, name, replace, &c->out->id, c->out->size, e);
}

int stel_commit(struct stel *s, const char *folder, const char *name, bool replace,
		const struct stel_watch *watch, struct stel_import *out, struct verr *e)
{
	struct commit *c = calloc(1, sizeof(*c));
	int r;

	if (c == NULL)
		return verr_host(e, "out of memory");
	*out = (struct stel_import){0};
	c->s = s;
	c->watch = watch;
	c->out = out;
	c->overlay = (struct overlay)OVERLAY_INIT;
	c->writer = (struct writer)WRITER_INIT;
	r = run(c, folder, name, replace, e);
	manifest_builder_deinit(&c->tree);
	writer_close(&c->writer);
	c->codec = chunk_codec_free(c->codec);
	c->image = stel_image_close(c->image);
	overlay_close(&c->overlay);
	free(c->data);
	free(c->packed);
	free(c);
	return r;
}
