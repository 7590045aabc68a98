/* SPDX-License-Identifier: Apache-2.0 */
#include "rootdisk/tree_priv.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <xxhash.h>

#define NODES_MAX (4U << 20) /* files of one disk: so that an archive cannot take all memory */
#define TABLE_FIRST 1024

/* Memory is taken in large blocks, which go together. */
#define BLOCK_BYTES KIB(256)

struct tree_block {
	struct tree_block *next;
	size_t size, used;
	_Alignas(max_align_t) char bytes[];
};

void *tree_alloc(struct tree *t, size_t size)
{
	struct tree_block *b = t->memory;
	size_t rounded = (size + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
	void *at;

	if (rounded < size)
		return NULL;
	if (b == NULL || b->size - b->used < rounded) {
		size_t wanted = MAX(rounded, BLOCK_BYTES);

		b = calloc(1, sizeof(*b) + wanted);
		if (b == NULL)
			return NULL;
		b->size = wanted;
		b->next = t->memory;
		t->memory = b;
	}
	at = b->bytes + b->used;
	b->used += rounded;
	return at;
}

static char *copy_text(struct tree *t, const char *text, size_t len)
{
	char *copy = tree_alloc(t, len + 1);

	if (copy != NULL)
		memcpy(copy, text, len);
	return copy;
}

static struct tree_node *new_node(struct tree *t, struct verr *e)
{
	struct tree_node *node;

	if (t->nodes_count == NODES_MAX) {
		(void)verr_invalid(e, "more than %u files", NODES_MAX);
		return NULL;
	}
	node = tree_alloc(t, sizeof(*node));
	if (node == NULL) {
		(void)verr_host(e, "out of memory");
		return NULL;
	}
	node->id = t->nodes_count++;
	return node;
}

int tree_init(struct tree *t, struct verr *e)
{
	*t = (struct tree){.table_size = TABLE_FIRST};
	/* Nobody can make an archive whose names all fall together. */
	if (getrandom(&t->seed, sizeof(t->seed), 0) != (ssize_t)sizeof(t->seed))
		return verr_os(e, "get random bytes");
	t->table = calloc(t->table_size, sizeof(struct tree_name *));
	if (t->table == NULL)
		return verr_host(e, "out of memory");
	t->root = new_node(t, e);
	if (t->root == NULL)
		return -1;
	t->root->mode = S_IFDIR | 0755;
	t->root->mtime = TREE_TIME;
	t->root->parent = t->root;
	t->root->links = 1;
	return 0;
}

void tree_deinit(struct tree *t)
{
	struct tree_block *b = t->memory, *next;

	for (; b != NULL; b = next) {
		next = b->next;
		free(b);
	}
	free(t->table);
	free(t->order);
	*t = (struct tree){0};
}

static struct tree_name **bucket_of(const struct tree *t, const struct tree_node *folder,
				    const char *text, size_t len)
{
	return &t->table[XXH3_64bits_withSeed(text, len, t->seed + folder->id) &
			 (t->table_size - 1)];
}

static struct tree_name *find_name(const struct tree *t, const struct tree_node *folder,
				   const char *text, size_t len)
{
	struct tree_name *n = *bucket_of(t, folder, text, len);

	while (n != NULL &&
	       (n->folder != folder || n->len != len || memcmp(n->text, text, len) != 0))
		n = n->bucket;
	return n;
}

struct tree_node *tree_find_node(const struct tree *t, const struct tree_node *folder,
				 const char *text, size_t len)
{
	const struct tree_name *n = find_name(t, folder, text, len);

	return n != NULL ? n->node : NULL;
}

static int grow_table(struct tree *t, struct verr *e)
{
	size_t size = t->table_size * 2;
	struct tree_name **table = calloc(size, sizeof(struct tree_name *));

	if (table == NULL)
		return verr_host(e, "out of memory");
	free(t->table);
	t->table = table;
	t->table_size = size;
	for (struct tree_name *n = t->first; n != NULL; n = n->next) {
		struct tree_name **bucket = bucket_of(t, n->folder, n->text, n->len);

		n->bucket = *bucket;
		*bucket = n;
	}
	return 0;
}

static struct tree_name *new_name(struct tree *t, struct tree_node *folder, const char *text,
				  size_t len, struct verr *e)
{
	struct tree_name *n, **bucket;

	if (t->names_count >= t->table_size && grow_table(t, e) < 0)
		return NULL;
	n = t->names_count < 2 * NODES_MAX ? tree_alloc(t, sizeof(*n) + len + 1) : NULL;
	if (n == NULL) {
		(void)verr_host(e, "too many files");
		return NULL;
	}
	memcpy(n->text, text, len);
	n->len = len;
	n->folder = folder;
	bucket = bucket_of(t, folder, text, len);
	n->bucket = *bucket;
	*bucket = n;
	if (t->last != NULL)
		t->last->next = n;
	else
		t->first = n;
	t->last = n;
	t->names_count++;
	return n;
}

static bool is_folder(const struct tree_node *node)
{
	return S_ISDIR(node->mode);
}

/* Take a name from its file. A folder that is not empty keeps it. */
static int clear_name(struct tree_name *n, struct verr *e)
{
	struct tree_node *node = n->node;

	if (node == NULL)
		return 0;
	if (is_folder(node) && node->names_count > 0)
		return verr_invalid(e, "is a folder with files in it, and now something else");
	node->links--;
	n->folder->names_count--;
	n->node = NULL;
	return 0;
}

static int set_name(struct tree *t, struct tree_node *folder, const char *text, size_t len,
		    struct tree_node *node, struct verr *e)
{
	struct tree_name *n = find_name(t, folder, text, len);

	if (n == NULL)
		n = new_name(t, folder, text, len, e);
	if (n == NULL || clear_name(n, e) < 0)
		return -1;
	if (node->links >= TREE_LINKS_MAX)
		return verr_invalid(e, "more than %d names for one file", TREE_LINKS_MAX);
	n->node = node;
	node->links++;
	folder->names_count++;
	if (is_folder(node))
		node->parent = folder;
	return 0;
}

struct tree_node *tree_make_folder(struct tree *t, struct tree_node *folder, const char *text,
				   size_t len, mode_t mode, struct verr *e)
{
	struct tree_node *node = new_node(t, e);

	if (node == NULL)
		return NULL;
	node->mode = S_IFDIR | mode;
	node->mtime = TREE_TIME;
	return set_name(t, folder, text, len, node, e) < 0 ? NULL : node;
}

static int set_facts(struct tree *t, struct tree_node *node, const struct tree_facts *facts,
		     struct verr *e)
{
	size_t len = facts->target != NULL ? strlen(facts->target) : 0;

	if (S_ISLNK(facts->mode)) {
		if (len == 0 || len >= PATH_MAX)
			return verr_invalid(e, "a link to a path of %zu bytes", len);
		node->target = copy_text(t, facts->target, len);
		if (node->target == NULL)
			return verr_host(e, "out of memory");
	}
	node->mode = facts->mode;
	node->uid = facts->uid;
	node->gid = facts->gid;
	node->mtime = facts->mtime;
	node->mtime_ns = facts->mtime_ns;
	node->major = facts->major;
	node->minor = facts->minor;
	node->xattrs = NULL;
	return 0;
}

struct tree_node *tree_add(struct tree *t, const char *path, const struct tree_facts *facts,
			   struct verr *e)
{
	struct tree_node *folder, *node;
	struct tree_path s;

	if (tree_split(path, &s, e) < 0)
		return NULL;
	folder = tree_walk(t, path, s.folder_len, true, 0755, e);
	if (folder == NULL)
		return NULL;
	node = s.name_len == 0 ? t->root : tree_find_node(t, folder, s.name, s.name_len);
	if (node != NULL && is_folder(node) && S_ISDIR(facts->mode))
		return set_facts(t, node, facts, e) < 0 ? NULL : node;
	if (node == t->root) {
		(void)verr_invalid(e, "the root is not a folder");
		return NULL;
	}
	node = new_node(t, e);
	if (node == NULL || set_facts(t, node, facts, e) < 0 ||
	    set_name(t, folder, s.name, s.name_len, node, e) < 0)
		return NULL;
	return node;
}

/* The file itself, not where it leads if it is a link; NULL without a fault: there is none. */
static struct tree_node *find_file(struct tree *t, const char *path, struct verr *e)
{
	const struct tree_node *folder;
	struct tree_path s;

	if (tree_split(path, &s, e) < 0)
		return NULL;
	if (s.name_len == 0)
		return t->root;
	folder = tree_walk(t, path, s.folder_len, false, 0, e);
	return folder != NULL ? tree_find_node(t, folder, s.name, s.name_len) : NULL;
}

int tree_link_node(struct tree *t, const char *path, struct tree_node *node, struct verr *e)
{
	struct tree_node *folder;
	struct tree_path s;

	if (is_folder(node))
		return verr_invalid(e, "a hard link to a folder");
	if (tree_split(path, &s, e) < 0)
		return -1;
	folder = tree_walk(t, path, s.folder_len, true, 0755, e);
	if (folder == NULL)
		return -1;
	if (s.name_len == 0)
		return verr_invalid(e, "the root is not a folder");
	if (tree_find_node(t, folder, s.name, s.name_len) == node)
		return 0;
	return set_name(t, folder, s.name, s.name_len, node, e);
}

int tree_link(struct tree *t, const char *path, const char *to, struct verr *e)
{
	struct verr why = VERR_INIT;
	struct tree_node *node = find_file(t, to, &why);

	if (node == NULL && (why.kind == VERR_NONE || why.kind == VERR_NOT_FOUND))
		return verr_invalid(e, "a hard link to a file that is not there");
	if (node == NULL)
		return verr_invalid(e, "a hard link to a path that cannot be: %s", why.text);
	return tree_link_node(t, path, node, e);
}

int tree_set_xattr(struct tree *t, struct tree_node *node, const char *name, const void *value,
		   size_t len, struct verr *e)
{
	struct tree_xattr **at = &node->xattrs, *x;
	void *copy = tree_alloc(t, len);

	while (*at != NULL && strcmp((*at)->name, name) < 0)
		at = &(*at)->next;
	x = *at;
	if (x == NULL || strcmp(x->name, name) != 0) {
		x = tree_alloc(t, sizeof(*x));
		if (x != NULL) {
			x->name = copy_text(t, name, strlen(name));
			x->next = *at;
		}
	}
	if (copy == NULL || x == NULL || x->name == NULL)
		return verr_host(e, "out of memory");
	if (len > 0)
		memcpy(copy, value, len);
	x->value = copy;
	x->len = len;
	*at = x;
	return 0;
}

bool tree_has(struct tree *t, const char *path)
{
	struct verr ignored = VERR_INIT;

	return find_file(t, path, &ignored) != NULL;
}

int tree_need_folder(struct tree *t, const char *path, mode_t mode, struct verr *e)
{
	return tree_walk(t, path, strlen(path), true, mode, e) == NULL ? -1 : 0;
}
