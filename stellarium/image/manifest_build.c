/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "stellarium/chunk/hash.h"
#include "stellarium/image/manifest.h"

void manifest_builder_init(struct manifest_builder *b, const struct stel_cutting *cut,
			   manifest_emit_fn *emit, void *ctx)
{
	*b = (struct manifest_builder){.root.cut = *cut, .emit = emit, .ctx = ctx};
}

void manifest_builder_deinit(struct manifest_builder *b)
{
	for (size_t i = 0; i < ARRAY_LEN(b->levels); i++) {
		free(b->levels[i].bytes);
		b->levels[i].bytes = NULL;
	}
}

/* What is gathered at a level becomes a node. */
static int send(struct manifest_builder *b, unsigned int at, struct stel_id *id, uint64_t *len,
		struct verr *e)
{
	struct manifest_level *level = &b->levels[at];
	struct node node = {.level = at, .count = level->count, .len = level->len};

	node_put_head(level->bytes, &node);
	*id = chunk_hash(level->bytes, level->used);
	*len = level->len;
	if (b->emit(b->ctx, id, bytes_of(level->bytes, level->used), e) < 0)
		return -1;
	b->root.nodes++;
	level->sent = true;
	level->last = *id;
	level->used = NODE_HEAD;
	level->count = 0;
	level->len = 0;
	return 0;
}

static int prepare(struct manifest_level *level, struct verr *e)
{
	if (level->bytes != NULL)
		return 0;
	level->bytes = malloc(NODE_MAX);
	level->used = NODE_HEAD;
	return level->bytes == NULL ? verr_host(e, "out of memory") : 0;
}

/* Put an entry into a level; a node that is complete by it goes out and into the level above. */
static int put(struct manifest_builder *b, unsigned int at, struct node_entry entry, struct verr *e)
{
	for (;; at++) {
		struct manifest_level *level;
		bool ends;

		if (at == NODE_LEVELS)
			return verr_invalid(e, "the image is too large");
		level = &b->levels[at];
		if (prepare(level, e) < 0)
			return -1;
		level->used += node_put_entry(level->bytes + level->used, at, &entry);
		level->count++;
		level->len += entry.len;
		/* One entry of 256 ends a node. Two at least, so that each level has at most half
		 * of what is below. */
		ends = !entry.zero && entry.id.bytes[0] == 0 && level->count > 1;
		if (!ends && level->count < NODE_ENTRIES_MAX)
			return 0;
		if (send(b, at, &entry.id, &entry.len, e) < 0)
			return -1;
		entry.zero = false;
	}
}

static int put_zeros(struct manifest_builder *b, struct verr *e)
{
	struct node_entry entry = {.zero = true, .len = b->zeros};

	b->zeros = 0;
	return entry.len > 0 ? put(b, 0, entry, e) : 0;
}

int manifest_add_zero(struct manifest_builder *b, uint64_t len, struct verr *e)
{
	b->zeros += len;
	b->root.zero += len;
	if (!add_u64(b->root.size, len, &b->root.size) || b->root.size > INT64_MAX)
		return verr_invalid(e, "the image is too large");
	return 0;
}

int manifest_add_chunk(struct manifest_builder *b, const struct stel_id *id, uint32_t len,
		       struct verr *e)
{
	struct node_entry entry = {.len = len, .id = *id};

	if (!add_u64(b->root.size, len, &b->root.size) || b->root.size > INT64_MAX)
		return verr_invalid(e, "the image is too large");
	b->root.chunks++;
	return put_zeros(b, e) < 0 ? -1 : put(b, 0, entry, e);
}

/* The lowest level first: what it sends may be all that the next one has. The top is the first
 * node that has no other beside it. */
static int finish_levels(struct manifest_builder *b, struct verr *e)
{
	struct node_entry entry = {0};

	if (prepare(&b->levels[0], e) < 0)
		return -1;
	for (unsigned int at = 0; at < NODE_LEVELS; at++) {
		struct manifest_level *level = &b->levels[at];
		bool sent = level->sent;

		if (at > 0 && level->count == 1 && !sent) {
			b->root.level = at - 1;
			b->root.top = b->levels[at - 1].last;
			return 0;
		}
		if (level->count == 0 && sent)
			continue;
		if (send(b, at, &entry.id, &entry.len, e) < 0)
			return -1;
		if (!sent) {
			b->root.level = at;
			b->root.top = entry.id;
			return 0;
		}
		if (put(b, at + 1, entry, e) < 0)
			return -1;
	}
	return verr_invalid(e, "the image is too large");
}

int manifest_finish(struct manifest_builder *b, struct stel_id *id, struct verr *e)
{
	uint8_t bytes[NODE_ROOT];

	if (put_zeros(b, e) < 0 || finish_levels(b, e) < 0)
		return -1;
	node_put_root(bytes, &b->root);
	*id = chunk_hash(bytes, sizeof(bytes));
	return b->emit(b->ctx, id, bytes_of(bytes, sizeof(bytes)), e);
}
