/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a volume. */
#include <errno.h>

#include "stellarium/volume/volume.h"

/* -- scratches */

static struct source_scratch *take_scratch(struct stel_volume *v)
{
	struct source_scratch *scratch;

	(void)pthread_mutex_lock(&v->scratch_lock);
	while (v->scratch_free == 0)
		(void)pthread_cond_wait(&v->scratch_back, &v->scratch_lock);
	scratch = &v->scratches[v->scratch_ids[--v->scratch_free]];
	(void)pthread_mutex_unlock(&v->scratch_lock);
	return scratch;
}

static void give_scratch(struct stel_volume *v, const struct source_scratch *scratch)
{
	(void)pthread_mutex_lock(&v->scratch_lock);
	v->scratch_ids[v->scratch_free++] = (unsigned int)(scratch - v->scratches);
	(void)pthread_cond_signal(&v->scratch_back);
	(void)pthread_mutex_unlock(&v->scratch_lock);
}

/* -- chunks */

/* Equal chunks of an image are one in the cache. */
static uint64_t key_of(const struct source_place *p)
{
	return (uint64_t)p->pack << 48 ^ p->at;
}

static int fault_of(const struct verr *e)
{
	return e->kind == VERR_HOST && e->os != 0 ? e->os : EIO;
}

/* A part of a chunk, past the cache. */
static int put_uncached(struct stel_volume *v, size_t place, struct vec *to, uint64_t skip,
			size_t len, struct verr *e)
{
	struct source_scratch *scratch = take_scratch(v);
	int r = source_load(&v->source, place, scratch, scratch->raw, e) < 0 ? fault_of(e) : 0;

	if (r == 0)
		vec_put(to, scratch->raw + skip, len);
	give_scratch(v, scratch);
	return r;
}

static int fill(struct stel_volume *v, size_t place, const struct cache_hold *hold, struct verr *e)
{
	struct source_scratch *scratch = take_scratch(v);
	int r = source_load(&v->source, place, scratch, hold->bytes, e) < 0 ? fault_of(e) : 0;

	give_scratch(v, scratch);
	return r;
}

static int put_cached(struct stel_volume *v, size_t place, struct vec *to, uint64_t skip,
		      size_t len, bool now, struct verr *e)
{
	const struct source_place *p = &v->source.places[place];
	struct cache_hold hold;
	int r;

	if (now) {
		if (cache_look(v->cache, key_of(p), &hold) != CACHE_HIT)
			return EAGAIN;
		vec_put(to, hold.bytes + skip, len);
		cache_release(v->cache, &hold);
		return 0;
	}
	switch (cache_get(v->cache, key_of(p), p->raw, true, &hold)) {
	case CACHE_HIT:
		vec_put(to, hold.bytes + skip, len);
		cache_release(v->cache, &hold);
		return 0;
	case CACHE_FILL:
		r = fill(v, place, &hold, e);
		if (r == 0)
			vec_put(to, hold.bytes + skip, len);
		cache_filled(v->cache, &hold, r == 0);
		return r;
	case CACHE_FILLING:
	case CACHE_NO_ROOM:
		break;
	}
	return put_uncached(v, place, to, skip, len, e);
}

/* Bytes from `offset` on, in chunk `place` and those behind it in image and pack alike. */
static uint64_t plain_run(const struct source *src, size_t place, uint64_t offset, uint64_t most)
{
	const struct source_place *p = &src->places[place];
	uint64_t n = p->offset + p->raw - offset;

	for (; n < most && place + 1 < src->count; place++) {
		const struct source_place *next = p + 1;

		if (next->offset != p->offset + p->raw || next->pack != p->pack ||
		    next->at != p->at + p->raw || !source_is_plain(src, place + 1))
			break;
		n += next->raw;
		p = next;
	}
	return MIN(n, most);
}

static int put_plain(struct stel_volume *v, size_t place, struct vec *to, uint64_t offset,
		     uint64_t len, bool now, struct verr *e)
{
	const struct source_place *p = &v->source.places[place];
	int r = vec_read(to, v->source.packs[p->pack], p->at + (offset - p->offset), (size_t)len,
			 now ? RWF_NOWAIT : 0);

	if (now && r != 0)
		return EAGAIN;
	if (r == 0)
		return 0;
	errno = r;
	(void)verr_os(e, "image %s: what is at byte %llu cannot be read", v->source.name,
		      (unsigned long long)offset);
	return r;
}

int volume_read_image(struct stel_volume *v, struct vec *to, uint64_t offset, uint64_t len,
		      bool now, struct verr *e)
{
	const struct source *src = &v->source;
	int r = 0;

	while (len > 0 && r == 0) {
		size_t i = source_find(src, offset);
		const struct source_place *p = i < src->count ? &src->places[i] : NULL;
		uint64_t n = len;

		if (p == NULL || p->offset > offset) {
			n = p != NULL ? MIN(len, p->offset - offset) : len;
			vec_put_zeros(to, (size_t)n);
		} else if (source_is_plain(src, i)) {
			n = plain_run(src, i, offset, len);
			r = put_plain(v, i, to, offset, n, now, e);
		} else {
			n = MIN(len, p->offset + p->raw - offset);
			r = p->codec == STEL_CODEC_NONE && !now
				    ? put_uncached(v, i, to, offset - p->offset, (size_t)n, e)
				    : put_cached(v, i, to, offset - p->offset, (size_t)n, now, e);
		}
		offset += n;
		len -= n;
	}
	return r;
}

/* -- pages */

static int read_overlay(struct stel_volume *v, struct vec *to, uint64_t offset, uint64_t len,
			bool now, struct verr *e)
{
	int r = vec_read(to, v->overlay.fd, overlay_at(&v->overlay, offset), (size_t)len,
			 now ? RWF_NOWAIT : 0);

	if (now && r != 0)
		return EAGAIN;
	if (r != 0) {
		errno = r;
		(void)verr_os(e, "the overlay cannot be read at byte %llu",
			      (unsigned long long)offset);
	}
	return r;
}

static int read_pages(struct stel_volume *v, struct vec to, uint64_t offset, uint64_t len, bool now,
		      struct verr *e)
{
	int r = 0;

	while (len > 0 && r == 0) {
		uint64_t page = offset / OVERLAY_PAGE, past = offset % OVERLAY_PAGE, n;
		enum overlay_state state;

		n = overlay_run(&v->overlay, page, overlay_pages(past + len), &state);
		n = MIN(n * OVERLAY_PAGE - past, len);
		switch (state) {
		case OVERLAY_IMAGE:
			r = volume_read_image(v, &to, offset, n, now, e);
			break;
		case OVERLAY_DATA:
			r = read_overlay(v, &to, offset, n, now, e);
			break;
		case OVERLAY_ZERO:
			vec_put_zeros(&to, (size_t)n);
			break;
		}
		offset += n;
		len -= n;
	}
	return r;
}

/* -- ahead */

/* Where there is something to read ahead from `at` on, before `to`. */
static uint64_t skip_plain(const struct source *src, uint64_t at, uint64_t to)
{
	size_t i = source_find(src, at);

	while (i < src->count && src->places[i].offset < to && source_is_plain(src, i))
		i++;
	return i < src->count && src->places[i].offset < to ? MAX(at, src->places[i].offset) : to;
}

/* A reader that goes on where the last one ended will go on. It is helped by half a window at a
 * time. */
static void note_read(struct stel_volume *v, uint64_t offset, uint64_t len)
{
	uint64_t end = offset + len, at, to = MIN(end + v->ahead, v->source.size);

	if (v->ahead == 0 ||
	    atomic_exchange_explicit(&v->last_end, end, memory_order_relaxed) != offset)
		return;
	at = atomic_load_explicit(&v->ahead_at, memory_order_relaxed);
	if (at < end || at > end + v->ahead)
		at = end;
	else if (at > end + v->ahead / 2)
		return;
	atomic_store_explicit(&v->ahead_at, skip_plain(&v->source, at, to), memory_order_relaxed);
	atomic_store_explicit(&v->ahead_to, to, memory_order_relaxed);
}

bool stel_volume_wants_ahead(const struct stel_volume *v)
{
	return atomic_load_explicit(&v->ahead_at, memory_order_relaxed) <
	       atomic_load_explicit(&v->ahead_to, memory_order_relaxed);
}

/* One chunk: into the cache, or, of those not compressed, into the page cache, and verified. */
static void load_ahead(struct stel_volume *v, size_t place)
{
	const struct source_place *p = &v->source.places[place];
	struct verr none = VERR_INIT;
	struct source_scratch *scratch;
	struct cache_hold hold;

	if (p->codec != STEL_CODEC_NONE) {
		switch (cache_get(v->cache, key_of(p), p->raw, false, &hold)) {
		case CACHE_HIT:
			cache_release(v->cache, &hold);
			break;
		case CACHE_FILL:
			cache_filled(v->cache, &hold, fill(v, place, &hold, &none) == 0);
			break;
		case CACHE_FILLING:
		case CACHE_NO_ROOM:
			break;
		}
		return;
	}
	if (source_is_plain(&v->source, place))
		return;
	/* What is wrong is told when it is asked for. */
	scratch = take_scratch(v);
	(void)!source_load(&v->source, place, scratch, scratch->raw, &none);
	give_scratch(v, scratch);
}

bool stel_volume_ahead(struct stel_volume *v)
{
	uint64_t at = atomic_load_explicit(&v->ahead_at, memory_order_relaxed), next;
	size_t place = source_find(&v->source, at);

	if (!stel_volume_wants_ahead(v))
		return false;
	next = place < v->source.count
		       ? v->source.places[place].offset + v->source.places[place].raw
		       : v->source.size;
	/* A reader that moved meanwhile knows better where to go on. */
	if (atomic_compare_exchange_strong(&v->ahead_at, &at, next) && place < v->source.count &&
	    v->source.places[place].offset <
		    atomic_load_explicit(&v->ahead_to, memory_order_relaxed))
		load_ahead(v, place);
	return stel_volume_wants_ahead(v);
}

/* -- */

int stel_volume_read(struct stel_volume *v, const struct iovec *iov, size_t count, uint64_t offset,
		     uint64_t len, struct verr *e)
{
	struct vec to = {.iov = iov, .count = count};
	int r = read_pages(v, to, offset, len, false, e);

	if (r == 0)
		note_read(v, offset, len);
	return r;
}

bool stel_volume_read_now(struct stel_volume *v, const struct iovec *iov, size_t count,
			  uint64_t offset, uint64_t len)
{
	struct vec to = {.iov = iov, .count = count};
	struct verr none;

	none.kind = VERR_NONE; /* never filled: whatever is wrong is EAGAIN */
	if (read_pages(v, to, offset, len, true, &none) != 0)
		return false;
	note_read(v, offset, len);
	return true;
}
