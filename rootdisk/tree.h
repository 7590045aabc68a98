/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of a root disk, in memory: names, owners, links, everything but the content of files.
 *
 * It is filled in the order of an archive, and as unpacking one would: a later entry replaces an
 * earlier one of its name, and a path leads through symbolic links, which stay within the tree.
 * After tree_finish() it is in an order of its own, whatever order it was filled in.
 *
 * Paths, targets and names are bytes, of whoever made the archive: faults do not repeat them.
 */
#ifndef VOLT_ROOTDISK_TREE_H
#define VOLT_ROOTDISK_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/verr.h"

/* The unit in which the content of files is placed: blocks of the disk. */
#define TREE_BLOCK 4096

/* The time of what no archive has a time for. Never the build's: two builds would differ. */
#define TREE_TIME 1

#define TREE_LINKS_MAX 65000 /* names of one file, as ext4 has it */

struct tree_xattr {
	struct tree_xattr *next; /* by name */
	const char *name;
	const void *value;
	size_t len;
};

/* Blocks of a file that are not a hole. */
struct tree_run {
	uint64_t first, count; /* within the file */
	uint64_t at;           /* on the disk, once it has a place there */
};

struct tree_digest {
	uint64_t low, high;
};

struct tree_name;

/* A file of any type: what has an inode. */
struct tree_node {
	mode_t mode; /* with the type */
	uint32_t uid, gid;
	int64_t mtime;
	uint32_t mtime_ns;
	uint32_t major, minor; /* of a device */
	const char *target;    /* of a symbolic link */
	struct tree_xattr *xattrs;

	/* The content of a regular file. */
	uint64_t size;
	struct tree_run *runs; /* ascending, apart from each other */
	size_t runs_count;
	struct tree_digest digest;

	uint32_t links; /* names; 0: replaced, of no interest any more */

	/* Of a folder, the names from tree_finish() on, sorted. */
	struct tree_node *parent;
	struct tree_name **names;
	uint32_t names_count, names_listed, folders_count;

	uint32_t id;    /* its place in the order that it was made in */
	uint32_t index; /* its place in tree.order */
};

struct tree_name {
	struct tree_name *next;   /* made after it */
	struct tree_name *bucket; /* another with its hash */
	struct tree_node *folder;
	struct tree_node *node; /* NULL: gone */
	size_t len;
	char text[];
};

struct tree_block;

struct tree {
	struct tree_block *memory;
	struct tree_node *root;
	struct tree_name *first, *last;
	struct tree_name **table; /* by folder and text */
	size_t table_size;
	uint64_t seed;
	uint32_t nodes_count, names_count;

	/* From tree_finish() on: every file that has a name, the root first, folders before what
	 * is in them, and what is in one folder together. */
	struct tree_node **order;
	uint32_t order_count;
	struct tree_digest digest; /* of everything, contents too */
};

/* What tree_add() makes. */
struct tree_facts {
	mode_t mode;
	uint32_t uid, gid;
	int64_t mtime;
	uint32_t mtime_ns;
	uint32_t major, minor;
	const char *target; /* copied */
};

V_MUST_CHECK int tree_init(struct tree *t, struct verr *e);
void tree_deinit(struct tree *t);

/* Memory that lives as long as the tree, zeroed and aligned for anything; NULL: there is none. */
void *tree_alloc(struct tree *t, size_t size);

/*
 * Make a file, and the folders that its path leads through where they are missing. A folder that
 * is there already keeps what is in it and takes these facts. Returns NULL for a fault.
 */
struct tree_node *tree_add(struct tree *t, const char *path, const struct tree_facts *facts,
			   struct verr *e);

/* Give the file at `to` a further name. */
V_MUST_CHECK int tree_link(struct tree *t, const char *path, const char *to, struct verr *e);

V_MUST_CHECK int tree_link_node(struct tree *t, const char *path, struct tree_node *node,
				struct verr *e);

/* Set an extended attribute. */
V_MUST_CHECK int tree_set_xattr(struct tree *t, struct tree_node *node, const char *name,
				const void *value, size_t len, struct verr *e);

/* Is anything there, a link to nothing included? Links in its folder's path are followed. */
bool tree_has(struct tree *t, const char *path);

/* See that there is a folder, or a link to one; what is there already stays as it is. */
V_MUST_CHECK int tree_need_folder(struct tree *t, const char *path, mode_t mode, struct verr *e);

/* Nothing is added any more. */
V_MUST_CHECK int tree_finish(struct tree *t, struct verr *e);

#endif
