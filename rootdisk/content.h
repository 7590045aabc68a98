/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The content of files on its way from an archive or a folder: taken in pieces of any size, given
 * on in windows of one size, so that what follows does not depend on who cut it how. A window of
 * zeros only is left out: it becomes a hole.
 */
#ifndef VOLT_ROOTDISK_CONTENT_H
#define VOLT_ROOTDISK_CONTENT_H

#include "rootdisk/tree.h"

#define CONTENT_WINDOW KIB(64)

/* `offset` is a multiple of CONTENT_WINDOW, and rises; `bytes` are zero from `len` on to the
 * window's end. */
typedef int content_fn(void *arg, struct tree_node *node, uint64_t offset, const void *bytes,
		       size_t len, struct verr *e);

struct content {
	content_fn *fn;
	void *arg;
	struct tree_node *node;
	uint8_t *window; /* CONTENT_WINDOW bytes */
	uint64_t start;  /* of the window */
	uint64_t at;     /* where the next piece may begin */
};

#define CONTENT_INIT           \
	{                      \
		.window = NULL \
	}

V_MUST_CHECK int content_init(struct content *c, content_fn *fn, void *arg, struct verr *e);
void content_deinit(struct content *c);

/* The content of `node`, from its first byte; what is not put is zero. */
void content_begin(struct content *c, struct tree_node *node);
V_MUST_CHECK int content_put(struct content *c, uint64_t offset, const void *bytes, size_t len,
			     struct verr *e);
V_MUST_CHECK int content_end(struct content *c, struct verr *e);

/* A content_fn that notes in the node which blocks there are, and their digest; `arg` is a struct
 * tree. */
int content_survey(void *arg, struct tree_node *node, uint64_t offset, const void *bytes,
		   size_t len, struct verr *e);

#endif
