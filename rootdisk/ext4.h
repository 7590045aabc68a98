/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tree of files as an ext4 file system, written through libext2fs: no mount, no loop device, no
 * root. What it is depends on the tree and the size alone, never on the clock, so the same tree
 * gives the same bytes; its UUID comes from the tree's digest.
 *
 * In this order: ext4_plan() says how large it is; ext4_open() writes all but the content of
 * files, ext4_content() that; ext4_close() ends it.
 */
#ifndef VOLT_ROOTDISK_EXT4_H
#define VOLT_ROOTDISK_EXT4_H

#include <stddef.h>
#include <stdint.h>

#include "rootdisk/tree.h"

#define EXT4_SIZE_MAX (16ULL << 40)

struct ext4_plan {
	uint64_t size;   /* bytes, a multiple of TREE_BLOCK */
	uint64_t blocks; /* that the files take */
	uint32_t inodes;
};

/*
 * How a finished tree fits: on `size` bytes, a fault naming the least if it does not; or for 0 on
 * a size with as much room again, 1 GiB at least.
 */
V_MUST_CHECK int ext4_plan(const struct tree *t, uint64_t size, struct ext4_plan *plan,
			   struct verr *e);

struct struct_ext2_filsys;

struct ext4 {
	struct struct_ext2_filsys *fs;
	struct tree *tree; /* borrowed */
	int fd;            /* borrowed */
	uint64_t next;     /* block after the last that was taken */
};

#define EXT4_INIT        \
	{                \
		.fd = -1 \
	}

/* `fd` is an empty file. The tree's files take their places on it. */
V_MUST_CHECK int ext4_open(struct ext4 *x, int fd, struct tree *t, const struct ext4_plan *plan,
			   struct verr *e);

/* A content_fn; `arg` is a struct ext4. */
int ext4_content(void *arg, struct tree_node *node, uint64_t offset, const void *bytes, size_t len,
		 struct verr *e);

V_MUST_CHECK int ext4_close(struct ext4 *x, struct verr *e);
void ext4_deinit(struct ext4 *x); /* without ext4_close() what was written is of no use */

#endif
