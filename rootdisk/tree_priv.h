/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the tree share: tree.c files and names, tree_path.c paths through them,
 * tree_finish.c their order. */
#ifndef VOLT_ROOTDISK_TREE_PRIV_H
#define VOLT_ROOTDISK_TREE_PRIV_H

#include "rootdisk/tree.h"

#define TREE_NAME_MAX 255 /* as Linux has it */

/* The file of that name, or NULL. */
struct tree_node *tree_find_node(const struct tree *t, const struct tree_node *folder,
				 const char *text, size_t len);

/* A new folder in a folder; NULL: a fault. */
struct tree_node *tree_make_folder(struct tree *t, struct tree_node *folder, const char *text,
				   size_t len, mode_t mode, struct verr *e);

/* A path in two: its folder's part, and the name; both within the path. */
struct tree_path {
	size_t folder_len;
	const char *name;
	size_t name_len; /* 0: the root itself */
};

V_MUST_CHECK int tree_split(const char *path, struct tree_path *s, struct verr *e);

/*
 * The folder that the first `len` bytes of a path lead to, through links; where it is missing it
 * is made with this mode if `make` is set. NULL: a fault.
 */
struct tree_node *tree_walk(struct tree *t, const char *path, size_t len, bool make, mode_t mode,
			    struct verr *e);

#endif
