/* SPDX-License-Identifier: Apache-2.0 */
/* An image's tree: building it from the image's pieces in order, and walking it. */
#ifndef STELLARIUM_IMAGE_MANIFEST_H
#define STELLARIUM_IMAGE_MANIFEST_H

#include "stellarium/image/node.h"
#include "stellarium/store/cas.h"

/* -- building */

/* Take a node's bytes, which are then known by `id`. */
typedef int manifest_emit_fn(void *ctx, const struct stel_id *id, struct bytes node,
			     struct verr *e);

struct manifest_level {
	uint8_t *bytes; /* a node, from its entries on; NULL: nothing here yet */
	size_t used;
	uint32_t count;
	uint64_t len;
	bool sent;           /* nodes of this level have gone up */
	struct stel_id last; /* the last of them */
};

struct manifest_builder {
	struct manifest_level levels[NODE_LEVELS];
	struct node_root root;
	uint64_t zeros; /* at the end, not in a node yet: more may follow */
	manifest_emit_fn *emit;
	void *ctx;
};

void manifest_builder_init(struct manifest_builder *b, const struct stel_cutting *cut,
			   manifest_emit_fn *emit, void *ctx);
void manifest_builder_deinit(struct manifest_builder *b);
V_MUST_CHECK int manifest_add_zero(struct manifest_builder *b, uint64_t len, struct verr *e);
V_MUST_CHECK int manifest_add_chunk(struct manifest_builder *b, const struct stel_id *id,
				    uint32_t len, struct verr *e);

/* The last nodes and the root go out; `*id` is the image's. */
V_MUST_CHECK int manifest_finish(struct manifest_builder *b, struct stel_id *id, struct verr *e);

/* -- walking */

enum manifest_step { MANIFEST_ENTER, MANIFEST_SKIP, MANIFEST_STOP };

struct manifest_visitor {
	/* Each may be NULL. What they return as -1, or STOP, ends the walk with their fault. */
	enum manifest_step (*node)(void *ctx, const struct stel_id *id, struct verr *e);
	int (*chunk)(void *ctx, const struct stel_id *id, uint64_t offset, uint32_t len,
		     struct verr *e);
	/* A node that cannot be read: without this, its fault ends the walk. */
	void (*damage)(void *ctx, const struct stel_id *id, const struct verr *why);
	void *ctx;
};

/* Walk the image `id`; the root and each node are shown to node(), too. */
V_MUST_CHECK int manifest_walk(struct stel *s, struct index_view *view, const struct stel_id *id,
			       const struct manifest_visitor *visitor, struct verr *e);

V_MUST_CHECK int manifest_root(struct stel *s, struct index_view *view, const struct stel_id *id,
			       struct node_root *out, struct verr *e);

/* All chunks of an image, in order; what is between them is zero. */
struct manifest_piece {
	uint64_t offset;
	struct stel_id id;
	uint32_t len;
};

struct manifest {
	struct node_root root;
	struct manifest_piece *pieces;
	size_t count, room;
};

V_MUST_CHECK int manifest_load(struct manifest *m, struct stel *s, struct index_view *view,
			       const struct stel_id *id, struct verr *e);
void manifest_deinit(struct manifest *m);

#endif
