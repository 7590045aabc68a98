/* SPDX-License-Identifier: Apache-2.0 */
/* Comparing images by their chunks, without reading them. */
#include "stellarium/chunk/hash.h"
#include "stellarium/image/image.h"

struct cursor {
	const struct manifest *m;
	size_t next;
	uint64_t at;
};

/* What is at the cursor: a piece and the place in it, or NULL for zeros; how far it goes. */
static const struct manifest_piece *look(const struct cursor *c, uint64_t size, uint64_t *left)
{
	const struct manifest_piece *piece = NULL;

	if (c->next < c->m->count)
		piece = &c->m->pieces[c->next];
	if (piece != NULL && piece->offset <= c->at) {
		*left = piece->offset + piece->len - c->at;
		return piece;
	}
	*left = (piece != NULL ? piece->offset : MAX(size, c->at + 1)) - c->at;
	return NULL;
}

static void move(struct cursor *c, uint64_t by)
{
	c->at += by;
	while (c->next < c->m->count &&
	       c->m->pieces[c->next].offset + c->m->pieces[c->next].len <= c->at)
		c->next++;
}

static bool alike(const struct manifest_piece *a, const struct manifest_piece *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return a->offset == b->offset && chunk_same(&a->id, &b->id);
}

/* Runs of bytes that are not alike, joined; what one image has and the other not is not alike. */
static void compare(const struct manifest *a, const struct manifest *b, stel_range_fn *range,
		    void *ctx, struct stel_diff *out)
{
	uint64_t size = MAX(a->root.size, b->root.size), shared = MIN(a->root.size, b->root.size);
	struct cursor ca = {.m = a}, cb = {.m = b};
	uint64_t from = 0, n, na, nb;
	bool open = false;

	while (ca.at < size) {
		const struct manifest_piece *pa = look(&ca, size, &na), *pb = look(&cb, size, &nb);
		bool same = ca.at < shared && alike(pa, pb);

		n = MIN(MIN(na, nb), (ca.at < shared ? shared : size) - ca.at);
		if (!same && !open)
			from = ca.at;
		if (same && open && range != NULL)
			range(ctx, from, ca.at - from);
		open = !same;
		out->changed += same ? 0 : n;
		move(&ca, n);
		move(&cb, n);
	}
	if (open && range != NULL)
		range(ctx, from, size - from);
}

#define IN_A 1
#define IN_B 2

static int add_pieces(struct idset *set, const struct manifest *m, uint64_t bit, struct verr *e)
{
	for (size_t i = 0; i < m->count; i++) {
		struct idset_item *item = idset_add(set, &m->pieces[i].id, NULL, e);

		if (item == NULL)
			return -1;
		item->value = (item->value & (IN_A | IN_B)) | bit | (uint64_t)m->pieces[i].len << 2;
	}
	return 0;
}

int stel_diff(struct stel_image *a, struct stel_image *b, stel_range_fn *range, void *ctx,
	      struct stel_diff *out, struct verr *e)
{
	struct idset set = IDSET_INIT;
	int r = -1;

	*out = (struct stel_diff){0};
	if (add_pieces(&set, &a->manifest, IN_A, e) == 0 &&
	    add_pieces(&set, &b->manifest, IN_B, e) == 0)
		r = 0;
	for (size_t i = 0; i < set.room && r == 0; i++) {
		const struct idset_item *item = &set.items[i];
		uint64_t len = item->value >> 2;

		if (!item->used)
			continue;
		if ((item->value & (IN_A | IN_B)) == (IN_A | IN_B))
			out->shared += len;
		else if ((item->value & IN_A) != 0)
			out->only_a += len;
		else
			out->only_b += len;
	}
	idset_deinit(&set);
	if (r == 0)
		compare(&a->manifest, &b->manifest, range, ctx, out);
	return r;
}
