/* SPDX-License-Identifier: Apache-2.0 */
#include "stellarium/store/index_pages.h"

/*
 *	page   := u64 its number  u16 anything  u16 flags  u16 lower  u16 upper  u16 node at... (up
 *to lower) free  node...                                            (from upper to the end) node :=
 *u16 u16 u16 flags  u16 key bytes  key  (value or nothing)  padded to 2 the first three numbers are
 *in a branch the page's number, in a leaf the first two the value's bytes tree   := u32 0  u16
 *flags  u16 depth  u64 branches  u64 leaves  u64 others  u64 entries  u64 root head   := (in a
 *page) u32 magic  u32 1  u64 0  u64 size of the map  tree of the unused, which has u32 page size
 *tree of the tables  u64 last page  u64 number of the change
 */
#define HEAD 16 /* of a page */
#define NODE 8  /* of a node */
#define TREE 48
#define CHANGE (32 + 2 * TREE) /* where its number is in a head */
#define MAGIC 0xbeefc0deU
#define FORMAT 1
#define NONE UINT64_MAX /* root of an empty tree */
#define DEPTH_MAX 32
#define KEY_MAX 511

enum { BRANCH = 1, LEAF = 2, META = 8 }; /* flags of pages */
enum { NODE_APART = 1, NODE_TABLE = 2 }; /* of nodes */
enum { TREE_NUMBERS = 8 };               /* of trees */

struct page {
	const uint8_t *at;
	unsigned int nodes, upper;
	bool leaf;
};

struct node {
	struct bytes key, value;
	uint64_t child;
	unsigned int flags, size;
	uint32_t len; /* of the value, wherever it is */
};

static bool get_page(const struct index_pages *p, uint64_t number, bool leaf, struct page *out)
{
	const uint8_t *at;
	unsigned int lower;

	if (number < 2 || number >= p->count)
		return false;
	at = p->map + number * INDEX_PAGE;
	lower = le16(at + 12);
	*out = (struct page){.at = at, .upper = le16(at + 14), .leaf = leaf};
	if (le64(at) != number || le16(at + 10) != (leaf ? LEAF : BRANCH) || lower < HEAD ||
	    lower % 2 != 0 || lower > out->upper || out->upper > INDEX_PAGE)
		return false;
	out->nodes = (lower - HEAD) / 2;
	return out->nodes >= (leaf ? 1 : 2);
}

static bool get_node(const struct page *page, unsigned int i, struct node *out)
{
	unsigned int at = le16(page->at + HEAD + (size_t)2 * i), key, value = 0;
	const uint8_t *node = page->at + at;

	if (at < page->upper || at % 2 != 0 || at > INDEX_PAGE - NODE)
		return false;
	key = le16(node + 6);
	*out = (struct node){.key = bytes_of(node + NODE, key)};
	if (page->leaf) {
		out->flags = le16(node + 4);
		out->len = le32(node);
		value = out->flags & NODE_APART ? 8 : out->len;
	} else {
		out->child = le32(node) | (uint64_t)le16(node + 4) << 32;
	}
	if (key > KEY_MAX || value > INDEX_PAGE || at + NODE + key + value > INDEX_PAGE)
		return false;
	out->size = (NODE + key + value + 1) & ~1U;
	out->value = bytes_of(node + NODE + key, value);
	return true;
}

/* The nodes fill the end of the page, one after the other, in whatever order. */
static bool check_page(const struct page *page)
{
	uint16_t sizes[INDEX_PAGE / 2] = {0};
	unsigned int at = page->upper, count = 0;
	struct node node;

	for (unsigned int i = 0; i < page->nodes; i++) {
		unsigned int start = le16(page->at + HEAD + (size_t)2 * i) / 2;

		if (!get_node(page, i, &node) || sizes[start] != 0)
			return false;
		sizes[start] = (uint16_t)node.size;
	}
	for (; at < INDEX_PAGE && sizes[at / 2] != 0; count++)
		at += sizes[at / 2];
	return at == INDEX_PAGE && count == page->nodes;
}

static int compare(const struct index_tree *t, struct bytes a, struct bytes b)
{
	int order;

	if (t->numbers && a.len == 8 && b.len == 8)
		return (le64(a.at) > le64(b.at)) - (le64(a.at) < le64(b.at));
	order = memcmp(a.at, b.at, MIN(a.len, b.len));
	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static bool is_key(const struct index_tree *t, struct bytes key)
{
	return t->key != 0 ? key.len == t->key : key.len > 0;
}

static bool get_tree(const struct index_pages *p, const uint8_t *in, bool numbers, uint32_t key,
		     struct index_tree *out)
{
	*out = (struct index_tree){.root = le64(in + 40),
				   .entries = le64(in + 32),
				   .depth = le16(in + 6),
				   .numbers = numbers,
				   .key = key};
	if (le16(in + 4) != (numbers ? TREE_NUMBERS : 0))
		return false;
	if (out->depth == 0)
		return out->root == NONE && out->entries == 0;
	return out->depth <= DEPTH_MAX && out->root >= 2 && out->root < p->count &&
	       out->entries > 0;
}

static bool is_head(const uint8_t *page)
{
	const uint8_t *in = page + HEAD;

	return le16(page + 10) == META && le32(in) == MAGIC && le32(in + 4) == FORMAT &&
	       le32(in + 24) == INDEX_PAGE;
}

/* Change n is in page n % 2, change n - 1 in the other; a new file has 0 in both. */
const uint8_t *index_pages_pick(const uint8_t heads[2 * INDEX_PAGE])
{
	const uint8_t *second = heads + INDEX_PAGE;
	uint64_t a = le64(heads + HEAD + CHANGE), b = le64(second + HEAD + CHANGE);

	if (!is_head(heads) || !is_head(second) || a % 2 != 0 || (b % 2 != 1 && a + b != 0))
		return NULL;
	if (a + b == 0 || a == b + 1)
		return heads;
	return b == a + 1 ? second : NULL;
}

bool index_pages_head(struct index_pages *p, const uint8_t *page, uint64_t size)
{
	const uint8_t *in = page + HEAD;
	uint64_t last = le64(in + CHANGE - 8);

	p->change = le64(in + CHANGE);
	if (!is_head(page) || last < 1 || last >= INDEX_PAGES_MAX)
		return false;
	p->taken = last + 1;
	p->count = MIN(p->taken, size / INDEX_PAGE);
	return get_tree(p, in + 24, true, 8, &p->unused) &&
	       get_tree(p, in + 24 + TREE, false, 0, &p->names);
}

/* The last node whose key is not above `key`, by halving; the first node of a branch has no key. */
static bool search(const struct index_tree *t, const struct page *page, struct bytes key,
		   struct node *out, int *order)
{
	unsigned int low = page->leaf ? 0 : 1, high = page->nodes;

	while (low < high) {
		unsigned int middle = (low + high) / 2;

		if (!get_node(page, middle, out) || !is_key(t, out->key))
			return false;
		*order = compare(t, key, out->key);
		if (*order == 0)
			return true;
		if (*order > 0)
			low = middle + 1;
		else
			high = middle;
	}
	return page->leaf || get_node(page, low - 1, out);
}

enum index_pages_result index_pages_find(const struct index_pages *p, const struct index_tree *t,
					 struct bytes key, struct bytes *value)
{
	uint64_t number = t->root;

	for (unsigned int level = t->depth; level > 0; level--) {
		struct page page;
		struct node node = {0};
		int order = 1;

		if (!get_page(p, number, level == 1, &page) ||
		    !search(t, &page, key, &node, &order))
			return INDEX_PAGES_DAMAGED;
		number = node.child;
		if (level == 1 && order == 0) {
			*value = node.value;
			return node.flags & NODE_APART ? INDEX_PAGES_DAMAGED : INDEX_PAGES_OK;
		}
	}
	return INDEX_PAGES_ABSENT;
}

struct walk {
	const struct index_pages *p;
	const struct index_tree *t;
	const struct index_pages_visitor *visitor;
	uint64_t pages, entries;
	struct bytes last, least; /* the key before; what the next one must not be below */
};

static bool visit_entry(struct walk *w, const struct page *page, unsigned int i)
{
	struct index_pages_entry entry;
	struct node node;

	if (!get_node(page, i, &node) || !is_key(w->t, node.key) ||
	    (node.flags & ~(unsigned int)(NODE_APART | NODE_TABLE)) != 0 ||
	    (w->last.at != NULL && compare(w->t, w->last, node.key) >= 0) ||
	    (w->least.at != NULL && compare(w->t, w->least, node.key) > 0))
		return false;
	w->least = (struct bytes){0};
	w->last = node.key;
	w->entries++;
	entry = (struct index_pages_entry){.key = node.key,
					   .value = node.value,
					   .apart = (node.flags & NODE_APART) != 0,
					   .table = (node.flags & NODE_TABLE) != 0,
					   .len = node.len};
	return w->visitor->entry(w->visitor->ctx, &entry);
}

/* The child's page, after what its key in the branch says of it was noted. */
static bool enter(struct walk *w, const struct page *page, unsigned int i, uint64_t *child)
{
	struct node node;

	if (!get_node(page, i, &node))
		return false;
	*child = node.child;
	if (i == 0)
		return true;
	w->least = node.key;
	return is_key(w->t, node.key) && w->last.at != NULL && compare(w->t, w->last, node.key) < 0;
}

static bool open_page(struct walk *w, uint64_t number, bool leaf, struct page *page)
{
	if (w->pages++ >= w->p->count || !get_page(w->p, number, leaf, page) || !check_page(page))
		return false;
	return w->visitor->page == NULL || w->visitor->page(w->visitor->ctx, number);
}

static bool walk(struct walk *w)
{
	struct {
		struct page page;
		unsigned int next;
	} stack[DEPTH_MAX];
	unsigned int depth = w->t->depth, level = 0;
	uint64_t number = w->t->root;

	if (depth == 0)
		return true;
	for (;;) {
		/* Down to a leaf, by first nodes. */
		for (;; level++) {
			stack[level].next = 1;
			if (!open_page(w, number, level + 1 == depth, &stack[level].page))
				return false;
			if (level + 1 == depth)
				break;
			if (!enter(w, &stack[level].page, 0, &number))
				return false;
		}
		for (unsigned int i = 0; i < stack[level].page.nodes; i++)
			if (!visit_entry(w, &stack[level].page, i))
				return false;
		/* Up to where there is more. */
		do {
			if (level-- == 0)
				return w->entries == w->t->entries;
		} while (stack[level].next == stack[level].page.nodes);
		if (!enter(w, &stack[level].page, stack[level].next++, &number))
			return false;
		level++;
	}
}

enum index_pages_result index_pages_walk(const struct index_pages *p, const struct index_tree *t,
					 const struct index_pages_visitor *visitor)
{
	struct walk w = {.p = p, .t = t, .visitor = visitor};

	return walk(&w) ? INDEX_PAGES_OK : INDEX_PAGES_DAMAGED;
}

struct tables {
	struct index_pages *p;
	uint32_t key;
	bool chunks, leaving;
};

static bool take_table(void *ctx, const struct index_pages_entry *entry)
{
	struct tables *t = ctx;
	bool chunks = entry->key.len == 6 && memcmp(entry->key.at, "chunks", 6) == 0;
	bool leaving = entry->key.len == 7 && memcmp(entry->key.at, "leaving", 7) == 0;

	if (!entry->table || entry->apart || entry->value.len != TREE || (!chunks && !leaving))
		return false;
	t->chunks |= chunks;
	t->leaving |= leaving;
	return get_tree(t->p, entry->value.at, leaving, leaving ? 8 : t->key,
			leaving ? &t->p->leaving : &t->p->chunks);
}

enum index_pages_result index_pages_tables(struct index_pages *p, uint32_t key)
{
	struct tables t = {.p = p, .key = key};
	const struct index_pages_visitor visitor = {.entry = take_table, .ctx = &t};

	if (index_pages_walk(p, &p->names, &visitor) != INDEX_PAGES_OK)
		return INDEX_PAGES_DAMAGED;
	return t.chunks && t.leaving ? INDEX_PAGES_OK : INDEX_PAGES_ABSENT;
}
