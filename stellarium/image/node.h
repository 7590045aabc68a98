/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The format of an image's tree. Each node is a chunk of its own, known by the hash of its bytes;
 * the root's hash is the image's id.
 *
 *	root   := "STELROOT"  u32 version  u8 level of top  cutting (options.h)  u64 size
 *	          u64 zero  u64 chunks  u64 nodes  id[32] of top
 *	node   := "STELNODE"  u32 entries  u8 level  3 bytes zero  u64 bytes of the image  entry*
 *	entry  := in a leaf (level 0):  u8 1, u64 length             zeros
 *	                                u8 2, u32 length, id[32]     a chunk
 *	          above:                u64 bytes of the image, id[32] of a node one level below
 *
 * A node ends after an entry whose id has its low bits zero: so images that differ in one place
 * share all nodes but those on the way there.
 */
#ifndef STELLARIUM_IMAGE_NODE_H
#define STELLARIUM_IMAGE_NODE_H

#include "base/bytes.h"
#include "stellarium/include/stellarium.h"

#define NODE_HEAD 24
#define NODE_ENTRIES_MAX 1024
#define NODE_LEVELS 10
#define NODE_ZERO 9 /* bytes of an entry */
#define NODE_CHUNK 37
#define NODE_CHILD 40
#define NODE_MAX (NODE_HEAD + NODE_ENTRIES_MAX * NODE_CHILD)
#define NODE_ROOT 90

struct node_root {
	struct stel_cutting cut;
	uint64_t size, zero, chunks, nodes;
	unsigned int level;
	struct stel_id top;
};

struct node_entry {
	uint64_t len; /* bytes of the image */
	bool zero;    /* then there is no id */
	struct stel_id id;
};

struct node {
	unsigned int level;
	uint32_t count;
	uint64_t len; /* bytes of the image */
	struct bytes entries;
};

void node_put_root(uint8_t out[NODE_ROOT], const struct node_root *root);
V_MUST_CHECK int node_get_root(struct bytes in, struct node_root *out, struct verr *e);

/* A node's head, when its entries are there already. */
void node_put_head(uint8_t out[NODE_HEAD], const struct node *node);

/* Append an entry; returns its length. */
size_t node_put_entry(uint8_t *out, unsigned int level, const struct node_entry *entry);

/* Check all of a node: then node_next() gives `count` entries. */
V_MUST_CHECK int node_get(struct bytes in, struct node *out, struct verr *e);

/* The entry at the start of node->entries, which moves on; false: there is none. */
bool node_next(struct node *node, struct node_entry *out);

#endif
