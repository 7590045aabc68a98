/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The format of an overlay: what one machine has written over an image. One sparse file,
 * little-endian; what is not named is zero.
 *
 *	overlay  := page(seal "STELOVER" body, and marks at bytes 1024 and 2048)
 *	            block*  page of the disk*
 *	body     := u64 size of the disk  u32 4096  u32 zero  id[32] of the image
 *	            u8 length, reference  u8 length, name
 *	mark     := u64 number  u64 XXH3 of that and of its place
 *	block    := slot slot                     for 16128 pages of the disk each
 *	slot     := u64 number  u64 XXH3 of the rest  u64 index of the block  8 bytes zero
 *	            u64 map[504]  24 bytes zero  u64 number                 (4096 bytes)
 *	map      := two bits a page, the lowest first: 0 it is the image's, 1 it is here, 2 it is
 *zero
 *
 * The reference is a name in the store that keeps the image as long as the overlay is there; the
 * other name is what the user called the image, for messages.
 *
 * A flush has a number, one more than the flush before. It makes the pages durable, then writes the
 * maps that have changed, each over the older of its two slots, and makes them durable; the mark
 * that says so is written then, and is durable with the pages of the next flush, before any slot
 * has that one's number. So a slot that is torn has the number behind the mark's in its first or
 * last bytes, or the ones it had before: the other slot counts then. Whatever else is wrong is
 * damage.
 */
#ifndef STELLARIUM_VOLUME_OVERLAY_FORMAT_H
#define STELLARIUM_VOLUME_OVERLAY_FORMAT_H

#include "base/bytes.h"
#include "stellarium/include/stellarium.h"
#include "stellarium/store/seal.h"

#define OVERLAY_PAGE 4096
#define OVERLAY_WORDS 504                     /* of a slot's map */
#define OVERLAY_BLOCK (OVERLAY_WORDS * 32ULL) /* pages that a block tells of */
#define OVERLAY_REFERENCE 64
#define OVERLAY_MARK 16
#define OVERLAY_MARK_AT(number) ((number) % 2 == 0 ? 1024 : 2048)

enum overlay_state { OVERLAY_IMAGE = 0, OVERLAY_DATA = 1, OVERLAY_ZERO = 2 };

struct overlay_head {
	struct seal_store store;
	uint64_t size; /* bytes of the disk */
	struct stel_id image;
	char reference[OVERLAY_REFERENCE];
	char name[STEL_NAME_MAX + 1];
};

static inline uint64_t overlay_pages(uint64_t size)
{
	return size / OVERLAY_PAGE + (size % OVERLAY_PAGE != 0);
}

static inline uint64_t overlay_blocks(uint64_t size)
{
	return (overlay_pages(size) + OVERLAY_BLOCK - 1) / OVERLAY_BLOCK;
}

/* Where slot 0 or 1 of a block is, and where the disk's first page is. */
static inline uint64_t overlay_slot_at(uint64_t block, unsigned int slot)
{
	return (1 + 2 * block + slot) * OVERLAY_PAGE;
}

static inline uint64_t overlay_data_at(uint64_t size)
{
	return overlay_slot_at(overlay_blocks(size), 0);
}

/* The first page, with a mark of 0. */
void overlay_put_head(uint8_t out[OVERLAY_PAGE], const struct overlay_head *head);

/* `store` may be NULL when any will do. `*mark` is the number of the last flush. */
V_MUST_CHECK int overlay_get_head(struct bytes page, const struct seal_store *store,
				  struct overlay_head *out, uint64_t *mark, struct verr *e);

void overlay_put_mark(uint8_t out[OVERLAY_MARK], uint64_t number);

void overlay_put_slot(uint8_t out[OVERLAY_PAGE], uint64_t block, uint64_t number,
		      const uint64_t map[OVERLAY_WORDS]);

/* What a block's two slots, one behind the other, say. */
struct overlay_block {
	uint64_t number;      /* of the flush that wrote it; 0: nothing was ever written */
	unsigned int current; /* the slot that counts */
	bool torn;            /* the other one is to be written over at the next flush */
};

/* `mark` is the last flush's; `pages` is how many the disk has from the block's first on. */
V_MUST_CHECK int overlay_get_block(const uint8_t slots[2 * OVERLAY_PAGE], uint64_t block,
				   uint64_t mark, uint64_t pages, struct overlay_block *out,
				   uint64_t map[OVERLAY_WORDS], struct verr *e);

#endif
