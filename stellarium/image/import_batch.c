/* SPDX-License-Identifier: Apache-2.0 */
#include "stellarium/image/import_batch.h"

#include <stdlib.h>

#include "stellarium/chunk/hash.h"

#define BATCH_BYTES MIB(4)

int batch_init(struct batch *b, const struct stel_options *options, struct verr *e)
{
	*b = (struct batch){.options = options};
	b->room = BATCH_BYTES + options->cut.max + CHUNK_PAGE;
	b->data = malloc(b->room);
	b->packed = malloc(b->room);
	return b->data == NULL || b->packed == NULL ? verr_host(e, "out of memory") : 0;
}

void batch_deinit(struct batch *b)
{
	free(b->data);
	free(b->packed);
	free(b->pieces);
	*b = (struct batch){0};
}

static int add_piece(struct batch *b, const struct split_piece *piece, struct verr *e)
{
	size_t room = b->pieces_room == 0 ? 512 : 2 * b->pieces_room;
	struct batch_piece *more;

	if (b->count == b->pieces_room) {
		more = realloc(b->pieces, room * sizeof(*more));
		if (more == NULL)
			return verr_host(e, "out of memory");
		b->pieces = more;
		b->pieces_room = room;
	}
	b->pieces[b->count++] =
		(struct batch_piece){.len = piece->len, .at = piece->at, .zero = piece->zero};
	return 0;
}

/* Read until the batch is full, a hole comes (its length is in `hole`) or the end. */
static int read_some(struct batch *b, struct input *in, uint64_t *hole, bool *end, struct verr *e)
{
	uint64_t len;

	while (b->len < b->room) {
		switch (input_next(in, b->data + b->len, b->room - b->len, &len, e)) {
		case INPUT_FAULT:
			return -1;
		case INPUT_END:
			*end = true;
			return 0;
		case INPUT_HOLE:
			*hole = len;
			return 0;
		case INPUT_DATA:
			b->len += (size_t)len;
		}
	}
	return 0;
}

int batch_fill(struct batch *b, const struct batch *before, struct input *in,
	       const struct chunk_cut *cut, uint64_t *offset, bool *end, struct verr *e)
{
	struct split split = {.cut = cut, .data = b->data, .offset = *offset};
	struct split_piece piece;
	uint64_t hole = 0;

	b->count = 0;
	b->len = before->left;
	memmove(b->data, before->data + before->len - before->left, before->left);
	if (read_some(b, in, &hole, end, e) < 0)
		return -1;
	split.len = b->len;
	split.whole = hole > 0 || *end;
	while (split_next(&split, &piece))
		if (add_piece(b, &piece, e) < 0)
			return -1;
	b->left = split.len - split.at;
	piece = (struct split_piece){.zero = true, .len = hole};
	*offset += split.at + hole;
	return hole > 0 ? add_piece(b, &piece, e) : 0;
}

static struct batch *batch_of(struct jobs_item *job)
{
	return (struct batch *)(void *)((char *)job - offsetof(struct batch, job));
}

void batch_hash(struct jobs_item *job, struct chunk_codec *codec)
{
	struct batch *b = batch_of(job);

	(void)codec;
	for (size_t i = 0; i < b->count; i++) {
		struct batch_piece *piece = &b->pieces[i];

		if (!piece->zero)
			piece->id = chunk_hash(b->data + piece->at, (size_t)piece->len);
	}
}

void batch_pack(struct jobs_item *job, struct chunk_codec *codec)
{
	struct batch *b = batch_of(job);

	for (size_t i = 0; i < b->count; i++) {
		struct batch_piece *piece = &b->pieces[i];
		size_t n;

		if (!piece->fresh)
			continue;
		/* Smaller than the chunk, so it has room at the chunk's own place. */
		piece->stored = bytes_of(b->data + piece->at, (size_t)piece->len);
		n = chunk_compress(codec, b->options->codec, b->options->level, piece->stored,
				   b->packed + piece->at);
		piece->codec = n > 0 ? b->options->codec : STEL_CODEC_NONE;
		if (n > 0)
			piece->stored = bytes_of(b->packed + piece->at, n);
	}
}
