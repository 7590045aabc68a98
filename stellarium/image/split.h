/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From bytes to pieces: runs of zero pages, and chunks. A page is 4 KiB at a multiple of that from
 * the image's start. Zero pages are never in a chunk (but for fixed chunks, which are zero as a
 * whole or not), so a hole and zeros that were written are alike: the same content gives the same
 * pieces.
 */
#ifndef STELLARIUM_IMAGE_SPLIT_H
#define STELLARIUM_IMAGE_SPLIT_H

#include "stellarium/chunk/cut.h"

struct split_piece {
	uint64_t len;
	size_t at; /* in the buffer; of a chunk */
	bool zero;
};

struct split {
	const struct chunk_cut *cut;
	const uint8_t *data;
	size_t len, at;  /* of the buffer; of what was not split yet */
	uint64_t offset; /* of the buffer's start in the image */
	bool whole;      /* a chunk may not go on behind the buffer: the end, or a hole, follows */
	size_t known;    /* no zero page begins before this, from `at` on */
};

/* The next piece; false: what is left needs the bytes that follow. */
bool split_next(struct split *s, struct split_piece *out);

/* Holes matter in multiples of this from the image's start. */
static inline uint64_t split_unit(const struct stel_cutting *cut)
{
	return cut->method == STEL_CUT_FIXED ? cut->max : CHUNK_PAGE;
}

#endif
