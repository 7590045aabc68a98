/* SPDX-License-Identifier: Apache-2.0 */
#include "rootdisk/content.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/checked.h"

int content_init(struct content *c, content_fn *fn, void *arg, struct verr *e)
{
	*c = (struct content){.fn = fn, .arg = arg, .window = calloc(1, CONTENT_WINDOW)};
	return c->window == NULL ? verr_host(e, "out of memory") : 0;
}

void content_deinit(struct content *c)
{
	free(c->window);
	*c = (struct content)CONTENT_INIT;
}

void content_begin(struct content *c, struct tree_node *node)
{
	c->node = node;
	c->start = 0;
	c->at = 0;
}

static bool is_zero(const uint8_t *bytes, size_t len)
{
	return len == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0);
}

/* Give the window on, and clear it. */
static int flush_window(struct content *c, struct verr *e)
{
	size_t len = (size_t)MIN(c->node->size - c->start, CONTENT_WINDOW);
	int r;

	if (is_zero(c->window, len))
		return 0;
	r = c->fn(c->arg, c->node, c->start, c->window, len, e);
	memset(c->window, 0, len);
	return r;
}

int content_put(struct content *c, uint64_t offset, const void *bytes, size_t len, struct verr *e)
{
	const uint8_t *from = bytes;

	if (offset < c->at)
		return verr_invalid(e, "its content is not in order");
	if (!range_within(offset, len, c->node->size))
		return verr_invalid(e, "its content is longer than it says");
	while (len > 0) {
		uint64_t start = offset & ~(CONTENT_WINDOW - 1);
		size_t n = MIN(len, (size_t)(start + CONTENT_WINDOW - offset));

		if (start != c->start) {
			if (flush_window(c, e) < 0)
				return -1;
			c->start = start;
		}
		memcpy(c->window + (offset - start), from, n);
		c->at = offset + n;
		from += n;
		offset += n;
		len -= n;
	}
	return 0;
}

int content_end(struct content *c, struct verr *e)
{
	return flush_window(c, e);
}

/* Room for one more run: each time that their number reaches a power of two it doubles. */
static struct tree_run *add_run(struct tree *t, struct tree_node *node)
{
	size_t n = node->runs_count;

	if ((n & (n - 1)) == 0) {
		struct tree_run *more = tree_alloc(t, MAX(n * 2, 1) * sizeof(*more));

		if (more == NULL)
			return NULL;
		if (node->runs != NULL)
			memcpy(more, node->runs, n * sizeof(*more));
		node->runs = more;
	}
	return &node->runs[node->runs_count++];
}

int content_survey(void *arg, struct tree_node *node, uint64_t offset, const void *bytes,
		   size_t len, struct verr *e)
{
	uint64_t first = offset / TREE_BLOCK, count = (len + TREE_BLOCK - 1) / TREE_BLOCK;
	struct tree_run *last = node->runs_count > 0 ? &node->runs[node->runs_count - 1] : NULL;
	XXH128_hash_t hash = XXH3_128bits_withSeed(bytes, len, node->digest.low + offset);

	node->digest.low = hash.low64;
	node->digest.high = XXH3_64bits_withSeed(&hash, sizeof(hash), node->digest.high);
	if (last != NULL && last->first + last->count == first) {
		last->count += count;
		return 0;
	}
	last = add_run(arg, node);
	if (last == NULL)
		return verr_host(e, "out of memory");
	*last = (struct tree_run){.first = first, .count = count};
	return 0;
}
