/* SPDX-License-Identifier: Apache-2.0 */
/* What a root disk has besides the user's files: volt-init, and the folders that it mounts on. */
#ifndef VOLT_ROOTDISK_FURNISH_H
#define VOLT_ROOTDISK_FURNISH_H

#include <stddef.h>

#include "rootdisk/content.h"
#include "rootdisk/tree.h"

struct furnish {
	void *init; /* the program, or NULL for none; owned */
	size_t init_len;
	struct tree_node *node; /* as which it is in the tree */
};

#define FURNISH_INIT         \
	{                    \
		.init = NULL \
	}

/* Read volt-init: the file at `path`, or for NULL the one that belongs to this program. */
V_MUST_CHECK int furnish_read_init(struct furnish *f, const char *path, struct verr *e);
void furnish_deinit(struct furnish *f);

/* Before tree_finish(): add it all to the tree. */
V_MUST_CHECK int furnish_tree(struct furnish *f, struct tree *t, struct verr *e);

/* After it: give volt-init's content to `fn`. */
V_MUST_CHECK int furnish_copy(const struct furnish *f, content_fn *fn, void *arg, struct verr *e);

#endif
