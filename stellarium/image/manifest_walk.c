/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/own.h"
#include "stellarium/image/manifest.h"

struct walk {
	struct stel *s;
	struct index_view *view;
	const struct manifest_visitor *visitor;
	uint64_t offset;
};

static int wrong(struct walk *w, const struct stel_id *id, uint64_t len, struct verr *e)
{
	char text[STEL_ID_TEXT];
	struct verr why;

	stel_id_text(id, text);
	(void)verr_note(e, "tree %.16s", text);
	if (w->visitor->damage == NULL || e->kind != VERR_CORRUPT)
		return -1;
	why = *e;
	*e = (struct verr)VERR_INIT;
	w->visitor->damage(w->visitor->ctx, id, &why);
	w->offset += len;
	return 0;
}

static enum manifest_step show(const struct walk *w, const struct stel_id *id, struct verr *e)
{
	return w->visitor->node != NULL ? w->visitor->node(w->visitor->ctx, id, e) : MANIFEST_ENTER;
}

static int walk_node(struct walk *w, const struct stel_id *id, unsigned int level, uint64_t size,
		     struct verr *e);

static int walk_entry(struct walk *w, unsigned int level, const struct node_entry *entry,
		      struct verr *e)
{
	const struct manifest_visitor *v = w->visitor;

	if (level > 0)
		return walk_node(w, &entry->id, level - 1, entry->len, e);
	if (!entry->zero && v->chunk != NULL &&
	    v->chunk(v->ctx, &entry->id, w->offset, (uint32_t)entry->len, e) < 0)
		return -1;
	w->offset += entry->len;
	return 0;
}

/* Deep as the levels are: NODE_LEVELS at most. */
static int walk_node(struct walk *w, const struct stel_id *id, unsigned int level, uint64_t size,
		     struct verr *e)
{
	auto_free uint8_t *bytes = NULL;
	struct node_entry entry;
	struct node node;
	size_t len = 0;

	switch (show(w, id, e)) {
	case MANIFEST_STOP:
		return -1;
	case MANIFEST_SKIP:
		w->offset += size;
		return 0;
	case MANIFEST_ENTER:
		break;
	}
	bytes = malloc(NODE_MAX);
	if (bytes == NULL)
		return verr_host(e, "out of memory");
	if (cas_load(w->s, w->view, id, bytes, NODE_MAX, &len, e) != CAS_OK ||
	    node_get(bytes_of(bytes, len), &node, e) < 0)
		return wrong(w, id, size, e);
	if (node.level != level || node.len != size) {
		(void)verr_corrupt(e, "it is not what the one above says");
		return wrong(w, id, size, e);
	}
	while (node_next(&node, &entry))
		if (walk_entry(w, level, &entry, e) < 0)
			return -1;
	return 0;
}

int manifest_root(struct stel *s, struct index_view *view, const struct stel_id *id,
		  struct node_root *out, struct verr *e)
{
	uint8_t bytes[NODE_ROOT];
	size_t len = 0;

	if (cas_load(s, view, id, bytes, sizeof(bytes), &len, e) != CAS_OK)
		return -1;
	return node_get_root(bytes_of(bytes, len), out, e);
}

int manifest_walk(struct stel *s, struct index_view *view, const struct stel_id *id,
		  const struct manifest_visitor *visitor, struct verr *e)
{
	struct walk w = {.s = s, .view = view, .visitor = visitor};
	struct node_root root;

	switch (show(&w, id, e)) {
	case MANIFEST_STOP:
		return -1;
	case MANIFEST_SKIP:
		return 0;
	case MANIFEST_ENTER:
		break;
	}
	if (manifest_root(s, view, id, &root, e) < 0)
		return wrong(&w, id, 0, e);
	return walk_node(&w, &root.top, root.level, root.size, e);
}

static int take_piece(void *ctx, const struct stel_id *id, uint64_t offset, uint32_t len,
		      struct verr *e)
{
	struct manifest *m = ctx;
	size_t room = m->room == 0 ? 1024 : 2 * m->room;
	struct manifest_piece *more;

	if (m->count == m->room) {
		more = realloc(m->pieces, room * sizeof(*more));
		if (more == NULL)
			return verr_host(e, "out of memory");
		m->pieces = more;
		m->room = room;
	}
	m->pieces[m->count++] = (struct manifest_piece){.offset = offset, .id = *id, .len = len};
	return 0;
}

int manifest_load(struct manifest *m, struct stel *s, struct index_view *view,
		  const struct stel_id *id, struct verr *e)
{
	const struct manifest_visitor visitor = {.chunk = take_piece, .ctx = m};

	*m = (struct manifest){0};
	if (manifest_root(s, view, id, &m->root, e) < 0)
		return -1;
	if (manifest_walk(s, view, id, &visitor, e) == 0)
		return 0;
	manifest_deinit(m);
	return -1;
}

void manifest_deinit(struct manifest *m)
{
	free(m->pieces);
	*m = (struct manifest){0};
}
