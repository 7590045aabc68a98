/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where chunks end. The content decides, so that what is inserted or moved changes the chunks
 * around it and no others:
 *
 * page     Pages of 4 KiB are the atoms: a chunk ends after a page whose hash has its low bits
 *          zero. So every chunk is whole pages, on disk and in memory, and equal files at other
 *          places of a disk are equal chunks.
 * fastcdc  A rolling (gear) hash over the last 64 bytes; below the average size more of its bits
 *          must be zero, above fewer, which keeps sizes near the average (FastCDC 2020, normalized,
 *          two bytes a step).
 * fixed    All of one size.
 *
 * Zero pages are not the cutters' matter: what they see has none (see image/split.h).
 */
#ifndef STELLARIUM_CHUNK_CUT_H
#define STELLARIUM_CHUNK_CUT_H

#include "stellarium/include/stellarium.h"

#define CHUNK_PAGE 4096
#define CHUNK_MAX MIB(16) /* the most that any format has room for */

struct chunk_cut {
	struct stel_cutting how;
	uint64_t strict, loose; /* masks below and above the average */
	uint64_t gear[256];
	uint64_t gear_left[256]; /* the same, shifted by one: for the first byte of two */
};

/* Are these sizes possible? A fault says what is wrong. */
V_MUST_CHECK int chunk_cut_check(const struct stel_cutting *how, struct verr *e);

/* Get ready; `how` must have passed chunk_cut_check(). */
void chunk_cut_init(struct chunk_cut *c, const struct stel_cutting *how);

/*
 * The length of the chunk that starts at `data`. With `whole`, data ends after `len` bytes and
 * the last chunk ends there; else 0 says that more is needed to tell.
 */
size_t chunk_cut_next(const struct chunk_cut *c, const uint8_t *data, size_t len, bool whole);

/* Are all bytes zero? */
bool chunk_is_zero(const uint8_t *data, size_t len);

#endif
