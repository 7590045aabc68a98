/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the root and as a node of an image's tree. */
#include <stdlib.h>

#include "stellarium/chunk/cut.h"
#include "stellarium/image/node.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check_root(struct bytes in)
{
	uint8_t again[NODE_ROOT];
	struct node_root root;
	struct verr e = VERR_INIT;

	if (node_get_root(in, &root, &e) < 0) {
		must(e.kind == VERR_CORRUPT && e.text[0] != '\0');
		return;
	}
	node_put_root(again, &root);
	must(in.len == sizeof(again) && memcmp(in.at, again, in.len) == 0);
}

/* What is accepted is written again as it was: there is one form only. */
static void check_node(struct bytes in)
{
	static uint8_t again[NODE_MAX];
	struct node node, head;
	struct node_entry entry;
	struct verr e = VERR_INIT;
	size_t used = NODE_HEAD;
	uint64_t len = 0;
	uint32_t count = 0;

	if (node_get(in, &node, &e) < 0) {
		must(e.kind == VERR_CORRUPT && e.text[0] != '\0');
		return;
	}
	head = node;
	for (; node_next(&node, &entry); count++) {
		must(node.level > 0 || entry.zero || entry.len <= CHUNK_MAX);
		used += node_put_entry(again + used, node.level, &entry);
		len += entry.len;
	}
	must(count == head.count && len == head.len && used == in.len);
	node_put_head(again, &head);
	must(memcmp(in.at, again, in.len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_root(bytes_of(data, size));
	check_node(bytes_of(data, size));
	return 0;
}
