/* SPDX-License-Identifier: Apache-2.0 */
#include "stellarium/image/node.h"

#include "stellarium/chunk/cut.h"
#include "stellarium/store/options.h"

#define ROOT_VERSION 1
#define ENTRY_ZERO 1
#define ENTRY_CHUNK 2

static const char root_magic[8] = {'S', 'T', 'E', 'L', 'R', 'O', 'O', 'T'};
static const char node_magic[8] = {'S', 'T', 'E', 'L', 'N', 'O', 'D', 'E'};

_Static_assert(NODE_ROOT == 8 + 4 + 1 + OPTIONS_CUTTING + 4 * 8 + STEL_ID_BYTES,
	       "the root's bytes");

void node_put_root(uint8_t out[NODE_ROOT], const struct node_root *root)
{
	memcpy(out, root_magic, sizeof(root_magic));
	put_le32(out + 8, ROOT_VERSION);
	out[12] = (uint8_t)root->level;
	options_put_cutting(out + 13, &root->cut);
	put_le64(out + 26, root->size);
	put_le64(out + 34, root->zero);
	put_le64(out + 42, root->chunks);
	put_le64(out + 50, root->nodes);
	memcpy(out + 58, root->top.bytes, STEL_ID_BYTES);
}

int node_get_root(struct bytes in, struct node_root *out, struct verr *e)
{
	if (in.len != NODE_ROOT || memcmp(in.at, root_magic, sizeof(root_magic)) != 0)
		return verr_corrupt(e, "it is not the root of an image");
	if (le32(in.at + 8) != ROOT_VERSION)
		return verr_corrupt(e, "the image has format %u, known is %u", le32(in.at + 8),
				    ROOT_VERSION);
	if (options_get_cutting(in.at + 13, &out->cut, e) < 0)
		return -1;
	out->level = in.at[12];
	out->size = le64(in.at + 26);
	out->zero = le64(in.at + 34);
	out->chunks = le64(in.at + 42);
	out->nodes = le64(in.at + 50);
	memcpy(out->top.bytes, in.at + 58, STEL_ID_BYTES);
	if (out->level >= NODE_LEVELS || out->size > INT64_MAX || out->zero > out->size)
		return verr_corrupt(e, "the root of the image is damaged");
	return 0;
}

void node_put_head(uint8_t out[NODE_HEAD], const struct node *node)
{
	memset(out, 0, NODE_HEAD);
	memcpy(out, node_magic, sizeof(node_magic));
	put_le32(out + 8, node->count);
	out[12] = (uint8_t)node->level;
	put_le64(out + 16, node->len);
}

size_t node_put_entry(uint8_t *out, unsigned int level, const struct node_entry *entry)
{
	if (level > 0) {
		put_le64(out, entry->len);
		memcpy(out + 8, entry->id.bytes, STEL_ID_BYTES);
		return NODE_CHILD;
	}
	if (entry->zero) {
		out[0] = ENTRY_ZERO;
		put_le64(out + 1, entry->len);
		return NODE_ZERO;
	}
	out[0] = ENTRY_CHUNK;
	put_le32(out + 1, (uint32_t)entry->len);
	memcpy(out + 5, entry->id.bytes, STEL_ID_BYTES);
	return NODE_CHUNK;
}

static bool take(struct bytes *b, size_t len)
{
	if (b->len < len)
		return false;
	b->at += len;
	b->len -= len;
	return true;
}

bool node_next(struct node *node, struct node_entry *out)
{
	const uint8_t *at = node->entries.at;

	*out = (struct node_entry){0};
	if (node->level > 0) {
		if (!take(&node->entries, NODE_CHILD))
			return false;
		out->len = le64(at);
		memcpy(out->id.bytes, at + 8, STEL_ID_BYTES);
		return true;
	}
	if (node->entries.len == 0)
		return false;
	if (at[0] == ENTRY_ZERO && take(&node->entries, NODE_ZERO)) {
		out->zero = true;
		out->len = le64(at + 1);
		return true;
	}
	if (at[0] != ENTRY_CHUNK || !take(&node->entries, NODE_CHUNK))
		return false;
	out->len = le32(at + 1);
	memcpy(out->id.bytes, at + 5, STEL_ID_BYTES);
	return true;
}

int node_get(struct bytes in, struct node *out, struct verr *e)
{
	struct node again;
	struct node_entry entry;
	uint64_t sum = 0;

	if (in.len < NODE_HEAD || in.len > NODE_MAX ||
	    memcmp(in.at, node_magic, sizeof(node_magic)) != 0)
		return verr_corrupt(e, "it is not part of an image's tree");
	*out = (struct node){.count = le32(in.at + 8),
			     .level = in.at[12],
			     .len = le64(in.at + 16),
			     .entries = bytes_of(in.at + NODE_HEAD, in.len - NODE_HEAD)};
	again = *out;
	for (uint32_t i = 0; i < out->count; i++)
		if (!node_next(&again, &entry) || entry.len == 0 ||
		    !add_u64(sum, entry.len, &sum) ||
		    (out->level == 0 && !entry.zero && entry.len > CHUNK_MAX))
			return verr_corrupt(e, "an entry of the image's tree is damaged");
	if (again.entries.len != 0 || sum != out->len || out->level >= NODE_LEVELS ||
	    out->count > NODE_ENTRIES_MAX || !chunk_is_zero(in.at + 13, 3))
		return verr_corrupt(e, "a node of the image's tree is damaged");
	return 0;
}
