/* SPDX-License-Identifier: Apache-2.0 */
#include "stellarium/volume/cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#define SMALLEST KIB(4) /* chunks are rarely smaller: so many entries there are at most */
#define NONE UINT32_MAX

enum state { FILLING, GOOD, BAD };

struct entry {
	uint64_t key;
	size_t at, len; /* in the memory */
	uint32_t holds;
	uint32_t next; /* in the list of its slot */
	enum state state;
};

struct cache {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	uint8_t *memory;
	size_t bytes, at;      /* the next chunk goes here, or to the start */
	struct entry *entries; /* a ring: `count` of them from `first` on, in the order of `at` */
	uint32_t room, first, count;
	uint32_t *slots; /* by key: the first entry of a list */
	uint32_t mask;
};

int cache_new(struct cache **out, size_t bytes, size_t largest, struct verr *e)
{
	struct cache *c = calloc(1, sizeof(*c));
	uint32_t slots = 64;

	if (c == NULL)
		return verr_host(e, "out of memory");
	(void)pthread_mutex_init(&c->lock, NULL);
	(void)pthread_cond_init(&c->filled, NULL);
	*out = c;
	if (bytes < 4 * largest)
		return 0;
	c->room = (uint32_t)(bytes / SMALLEST);
	while (slots < c->room)
		slots *= 2;
	c->mask = slots - 1;
	c->entries = calloc(c->room, sizeof(*c->entries));
	c->slots = malloc(slots * sizeof(*c->slots));
	c->memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (c->memory == MAP_FAILED)
		c->memory = NULL;
	if (c->memory == NULL || c->entries == NULL || c->slots == NULL) {
		*out = cache_free(c);
		return verr_host(e, "out of memory");
	}
	c->bytes = bytes;
	for (uint32_t i = 0; i < slots; i++)
		c->slots[i] = NONE;
	return 0;
}

struct cache *cache_free(struct cache *c)
{
	if (c == NULL)
		return NULL;
	if (c->memory != NULL)
		(void)munmap(c->memory, c->bytes);
	free(c->entries);
	free(c->slots);
	(void)pthread_cond_destroy(&c->filled);
	(void)pthread_mutex_destroy(&c->lock);
	free(c);
	return NULL;
}

static uint32_t *slot_of(struct cache *c, uint64_t key)
{
	return &c->slots[(key * 0x9e3779b97f4a7c15 >> 32) & c->mask];
}

static struct entry *find(struct cache *c, uint64_t key)
{
	uint32_t i = c->bytes == 0 ? NONE : *slot_of(c, key);

	while (i != NONE && c->entries[i].key != key)
		i = c->entries[i].next;
	return i == NONE ? NULL : &c->entries[i];
}

static void unlink_entry(struct cache *c, uint32_t entry)
{
	uint32_t *at = slot_of(c, c->entries[entry].key);

	/* One that was not good is in no list any more. */
	while (*at != NONE && *at != entry)
		at = &c->entries[*at].next;
	if (*at == entry)
		*at = c->entries[entry].next;
}

static bool drop_first(struct cache *c)
{
	const struct entry *first = &c->entries[c->first];

	if (c->count == 0 || first->holds > 0)
		return false;
	unlink_entry(c, c->first);
	c->first = (c->first + 1) % c->room;
	c->count--;
	return true;
}

/* Room for `len` bytes at c->at. What is used goes from the first entry on to c->at, around. */
static bool make_room(struct cache *c, size_t len)
{
	for (;;) {
		size_t first = c->count > 0 ? c->entries[c->first].at : 0;

		if (c->count == 0)
			c->at = 0;
		if (c->count == 0 && len <= c->bytes)
			return true;
		if (c->count == c->room || first >= c->at) {
			if (c->count < c->room && len <= first - c->at)
				return true;
			if (!drop_first(c))
				return false;
		} else if (len <= c->bytes - c->at) {
			return true;
		} else {
			c->at = 0;
		}
	}
}

static void hold_entry(struct cache *c, struct entry *entry, struct cache_hold *hold)
{
	entry->holds++;
	*hold = (struct cache_hold){.entry = (uint32_t)(entry - c->entries),
				    .bytes = c->memory + entry->at};
}

static enum cache_result add(struct cache *c, uint64_t key, size_t len, struct cache_hold *hold)
{
	uint32_t index, *slot;

	if (c->bytes == 0 || !make_room(c, len))
		return CACHE_NO_ROOM;
	index = (c->first + c->count++) % c->room;
	slot = slot_of(c, key);
	c->entries[index] = (struct entry){
		.key = key, .at = c->at, .len = len, .next = *slot, .state = FILLING};
	*slot = index;
	c->at += len;
	hold_entry(c, &c->entries[index], hold);
	return CACHE_FILL;
}

enum cache_result cache_get(struct cache *c, uint64_t key, size_t len, bool wait,
			    struct cache_hold *hold)
{
	enum cache_result r;
	struct entry *entry;

	(void)pthread_mutex_lock(&c->lock);
	while ((entry = find(c, key)) != NULL && entry->state == FILLING && wait)
		(void)pthread_cond_wait(&c->filled, &c->lock);
	if (entry == NULL) {
		r = add(c, key, len, hold);
	} else if (entry->state == FILLING) {
		r = CACHE_FILLING;
	} else {
		hold_entry(c, entry, hold);
		r = CACHE_HIT;
	}
	(void)pthread_mutex_unlock(&c->lock);
	return r;
}

enum cache_result cache_look(struct cache *c, uint64_t key, struct cache_hold *hold)
{
	enum cache_result r = CACHE_NO_ROOM;
	struct entry *entry;

	(void)pthread_mutex_lock(&c->lock);
	entry = find(c, key);
	if (entry != NULL && entry->state == GOOD) {
		hold_entry(c, entry, hold);
		r = CACHE_HIT;
	}
	(void)pthread_mutex_unlock(&c->lock);
	return r;
}

void cache_filled(struct cache *c, const struct cache_hold *hold, bool good)
{
	struct entry *entry = &c->entries[hold->entry];

	(void)pthread_mutex_lock(&c->lock);
	entry->state = good ? GOOD : BAD;
	entry->holds--;
	if (!good)
		unlink_entry(c, hold->entry);
	(void)pthread_cond_broadcast(&c->filled);
	(void)pthread_mutex_unlock(&c->lock);
}

void cache_release(struct cache *c, const struct cache_hold *hold)
{
	(void)pthread_mutex_lock(&c->lock);
	c->entries[hold->entry].holds--;
	(void)pthread_mutex_unlock(&c->lock);
}
