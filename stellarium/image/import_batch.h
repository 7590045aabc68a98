/* SPDX-License-Identifier: Apache-2.0 */
/* A part of an image on its way into the store. */
#ifndef STELLARIUM_IMAGE_IMPORT_BATCH_H
#define STELLARIUM_IMAGE_IMPORT_BATCH_H

#include "stellarium/image/input.h"
#include "stellarium/image/jobs.h"
#include "stellarium/image/split.h"

struct batch_piece {
	uint64_t len;
	size_t at; /* in data */
	bool zero, fresh;
	struct stel_id id;
	enum stel_codec codec;
	struct bytes stored; /* in data or packed */
};

struct batch {
	struct jobs_item job;
	const struct stel_options *options; /* borrowed */
	uint8_t *data, *packed;
	size_t room, len; /* of data */
	size_t left;      /* the last bytes of data, which belong to the next batch's pieces */
	struct batch_piece *pieces;
	size_t count, pieces_room;
};

V_MUST_CHECK int batch_init(struct batch *b, const struct stel_options *options, struct verr *e);
void batch_deinit(struct batch *b);

/*
 * Take the bytes that the batch before left and some more, and split them. `*offset` is the image's
 * so far, and moves on; `*end` says that this was the last.
 */
V_MUST_CHECK int batch_fill(struct batch *b, const struct batch *before, struct input *in,
			    const struct chunk_cut *cut, uint64_t *offset, bool *end,
			    struct verr *e);

/* Jobs: the id of each chunk; the stored form of each that is fresh. */
void batch_hash(struct jobs_item *job, struct chunk_codec *codec);
void batch_pack(struct jobs_item *job, struct chunk_codec *codec);

#endif
