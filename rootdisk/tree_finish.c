/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

#include "rootdisk/tree.h"

static int compare_names(const void *a, const void *b)
{
	const struct tree_name *x = *(struct tree_name *const *)a;
	const struct tree_name *y = *(struct tree_name *const *)b;
	int r = memcmp(x->text, y->text, MIN(x->len, y->len));

	return r != 0 ? r : (x->len > y->len) - (x->len < y->len);
}

/* Each folder gets the list of its names. */
static int list_names(struct tree *t, struct verr *e)
{
	for (struct tree_name *n = t->first; n != NULL; n = n->next) {
		struct tree_node *f = n->folder;

		if (n->node == NULL)
			continue;
		if (f->names == NULL)
			f->names = tree_alloc(t, f->names_count * sizeof(struct tree_name *));
		if (f->names == NULL)
			return verr_host(e, "out of memory");
		f->names[f->names_listed++] = n;
		f->folders_count += S_ISDIR(n->node->mode);
	}
	return 0;
}

static void put_in_order(struct tree *t, struct tree_node *node)
{
	if (node->index != 0 || node == t->root)
		return;
	node->index = t->order_count;
	t->order[t->order_count++] = node;
}

static void digest_node(XXH3_state_t *state, const struct tree_node *node)
{
	const uint64_t facts[] = {node->mode,  node->uid,   node->gid,  node->mtime_ns,
				  node->major, node->minor, node->size, (uint64_t)node->mtime,
				  node->links};

	(void)XXH3_128bits_update(state, facts, sizeof(facts));
	(void)XXH3_128bits_update(state, &node->digest, sizeof(node->digest));
	if (node->target != NULL)
		(void)XXH3_128bits_update(state, node->target, strlen(node->target) + 1);
	for (const struct tree_xattr *x = node->xattrs; x != NULL; x = x->next) {
		(void)XXH3_128bits_update(state, x->name, strlen(x->name) + 1);
		(void)XXH3_128bits_update(state, &x->len, sizeof(x->len));
		(void)XXH3_128bits_update(state, x->value, x->len);
	}
	for (uint32_t i = 0; i < node->names_count; i++) {
		const struct tree_name *n = node->names[i];

		(void)XXH3_128bits_update(state, n->text, n->len + 1);
		(void)XXH3_128bits_update(state, &n->node->index, sizeof(n->node->index));
	}
}

static int digest_tree(struct tree *t, struct verr *e)
{
	XXH3_state_t *state = XXH3_createState();
	XXH128_hash_t hash;

	if (state == NULL)
		return verr_host(e, "out of memory");
	(void)XXH3_128bits_reset(state);
	for (uint32_t i = 0; i < t->order_count; i++)
		digest_node(state, t->order[i]);
	hash = XXH3_128bits_digest(state);
	t->digest = (struct tree_digest){.low = hash.low64, .high = hash.high64};
	(void)XXH3_freeState(state);
	return 0;
}

int tree_finish(struct tree *t, struct verr *e)
{
	if (list_names(t, e) < 0)
		return -1;
	t->order = calloc(t->nodes_count, sizeof(struct tree_node *));
	if (t->order == NULL)
		return verr_host(e, "out of memory");
	t->order[t->order_count++] = t->root;
	for (uint32_t i = 0; i < t->order_count; i++) {
		const struct tree_node *folder = t->order[i];

		if (folder->names == NULL)
			continue;
		qsort(folder->names, folder->names_count, sizeof(struct tree_name *),
		      compare_names);
		for (uint32_t j = 0; j < folder->names_listed; j++)
			put_in_order(t, folder->names[j]->node);
	}
	return digest_tree(t, e);
}
