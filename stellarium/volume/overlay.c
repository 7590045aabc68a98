/* SPDX-License-Identifier: Apache-2.0 */
#include "stellarium/volume/overlay.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/own.h"
#include "stellarium/volume/overlay_priv.h"
#include "stellarium/volume/vec.h"

#define PAGES_A_WORD 32
#define EACH 0x5555555555555555 /* a bit for each page of a word */

static uint64_t word_of(const struct overlay *o, uint64_t page)
{
	return atomic_load_explicit(&o->map[page / PAGES_A_WORD], memory_order_acquire);
}

enum overlay_state overlay_state(const struct overlay *o, uint64_t page)
{
	if (o->fd < 0)
		return OVERLAY_IMAGE;
	return (enum overlay_state)(word_of(o, page) >> 2 * (page % PAGES_A_WORD) & 3);
}

uint64_t overlay_run(const struct overlay *o, uint64_t page, uint64_t most,
		     enum overlay_state *state)
{
	uint64_t n = 0;

	*state = overlay_state(o, page);
	if (o->fd < 0)
		return most;
	while (n < most) {
		uint64_t at = (page + n) % PAGES_A_WORD;
		/* What differs from a word of this state alone, from this page on. */
		uint64_t differs = (word_of(o, page + n) ^ (uint64_t)*state * EACH) >> 2 * at;
		uint64_t same =
			differs == 0 ? PAGES_A_WORD - at : (uint64_t)__builtin_ctzll(differs) / 2;

		n += MIN(same, PAGES_A_WORD - at);
		if (differs != 0)
			break;
	}
	return MIN(n, most);
}

void overlay_set(struct overlay *o, uint64_t page, uint64_t count, enum overlay_state state)
{
	enum overlay_state before;

	if (count == 0 || (overlay_run(o, page, count, &before) == count && before == state))
		return;
	(void)pthread_mutex_lock(&o->map_lock);
	while (count > 0) {
		uint64_t word = page / PAGES_A_WORD, at = page % PAGES_A_WORD;
		uint64_t n = MIN(count, PAGES_A_WORD - at);
		uint64_t ones = n == PAGES_A_WORD ? UINT64_MAX : (1ULL << 2 * n) - 1;
		uint64_t mask = ones << 2 * at;
		uint64_t old = atomic_load_explicit(&o->map[word], memory_order_relaxed);

		atomic_store_explicit(&o->map[word],
				      (old & ~mask) | ((uint64_t)state * EACH & mask),
				      memory_order_release);
		o->dirty[word / OVERLAY_WORDS] = 1;
		page += n;
		count -= n;
	}
	(void)pthread_mutex_unlock(&o->map_lock);
}

/* -- flush */

/* The maps that have changed, as they are now; false: there are none. */
static bool snapshot(struct overlay *o)
{
	bool any = false;

	(void)pthread_mutex_lock(&o->map_lock);
	for (uint64_t b = 0; b < o->blocks; b++) {
		o->changed[b] = o->dirty[b];
		if (!o->changed[b])
			continue;
		any = true;
		o->dirty[b] = 0;
		for (uint64_t i = b * OVERLAY_WORDS; i < (b + 1) * OVERLAY_WORDS; i++)
			o->written[i] = atomic_load_explicit(&o->map[i], memory_order_relaxed);
	}
	(void)pthread_mutex_unlock(&o->map_lock);
	return any;
}

int overlay_put_number(const struct overlay *o, uint64_t number)
{
	uint8_t mark[OVERLAY_MARK];

	overlay_put_mark(mark, number);
	return vec_write_one(o->fd, mark, sizeof(mark), OVERLAY_MARK_AT(number));
}

/* Over the slots that do not count: these are whole as long as the new ones may not be. */
static int write_maps(const struct overlay *o)
{
	uint8_t slot[OVERLAY_PAGE];
	int r = 0;

	for (uint64_t b = 0; b < o->blocks && r == 0; b++) {
		if (!o->changed[b])
			continue;
		overlay_put_slot(slot, b, o->number + 1, o->written + b * OVERLAY_WORDS);
		r = vec_write_one(o->fd, slot, sizeof(slot), overlay_slot_at(b, !o->current[b]));
	}
	return r;
}

/* The kernel tells of a loss once: whoever is told must not forget it. */
static int sync_file(struct overlay *o)
{
	if (!o->unsafe && fdatasync(o->fd) < 0)
		o->failed = errno;
	return o->failed;
}

static int count_flush(struct overlay *o)
{
	for (uint64_t b = 0; b < o->blocks; b++)
		o->current[b] ^= o->changed[b];
	o->failed = overlay_put_number(o, ++o->number);
	return o->failed;
}

/* Written again by the next flush: there was no room, perhaps. */
static int keep_dirty(struct overlay *o, int error)
{
	(void)pthread_mutex_lock(&o->map_lock);
	for (uint64_t b = 0; b < o->blocks; b++)
		o->dirty[b] |= o->changed[b];
	(void)pthread_mutex_unlock(&o->map_lock);
	return error;
}

/* Pages first, then what says that they are there. */
static int flush(struct overlay *o)
{
	bool any = snapshot(o);
	int r;

	if (sync_file(o) != 0 || !any)
		return o->failed;
	r = write_maps(o);
	if (r != 0)
		return keep_dirty(o, r);
	return sync_file(o) != 0 ? o->failed : count_flush(o);
}

int overlay_flush(struct overlay *o)
{
	int r;

	if (o->fd < 0 || o->readonly || o->passing)
		return 0;
	(void)pthread_mutex_lock(&o->flush_lock);
	r = o->failed != 0 ? o->failed : flush(o);
	(void)pthread_mutex_unlock(&o->flush_lock);
	return r;
}
