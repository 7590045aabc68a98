/* SPDX-License-Identifier: Apache-2.0 */
/* What the kinds of sources have in common: source.c, source_tar.c, source_folder.c. */
#ifndef VOLT_ROOTDISK_SOURCE_PRIV_H
#define VOLT_ROOTDISK_SOURCE_PRIV_H

#include "rootdisk/source.h"

struct source_class {
	int (*survey)(struct source *s, struct tree *t, struct content *c, struct verr *e);
	int (*copy)(struct source *s, struct content *c, struct verr *e);
	void (*deinit)(struct source *s);
};

/* First in the struct of every kind. */
struct source {
	const struct source_class *class;
	struct source_owner owner;
};

/* Add a file; its owner is what the source is told. */
struct tree_node *source_add(const struct source *s, struct tree *t, const char *path,
			     struct tree_facts *facts, struct verr *e);

/* Set an attribute, if it is one of those that Linux has. */
V_MUST_CHECK int source_add_xattr(struct tree *t, struct tree_node *node, const char *name,
				  const void *value, size_t len, struct verr *e);

/* Put a name from the source in front of a fault, without what terminals obey. */
int source_note(struct verr *e, const char *name);

#endif
