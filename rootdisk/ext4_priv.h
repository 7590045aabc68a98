/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the ext4 writer share: ext4.c the disk, ext4_plan.c its measures, ext4_node.c
 * files, ext4_folder.c the blocks of folders. */
#ifndef VOLT_ROOTDISK_EXT4_PRIV_H
#define VOLT_ROOTDISK_EXT4_PRIV_H

#include <ext2fs/ext2fs.h>

#include "rootdisk/ext4.h"

/* The first inode that is a file's; those below are the file system's own. */
#define EXT4_FIRST_INO EXT2_GOOD_OLD_FIRST_INO

/* Raise a fault for what libext2fs returned. */
int ext4_fault(struct verr *e, errcode_t code, const char *what);

/* A new file system on `fd`, in memory: nothing is written yet. */
errcode_t ext4_make(int fd, const struct ext4_plan *plan, ext2_filsys *out);

/* Blocks of the journal on a disk of that size; 0: it is too small for one. */
uint32_t ext4_journal_blocks(uint64_t size);

/* Blocks that a folder's names take. */
uint64_t ext4_folder_blocks(const struct tree_node *folder);

/* Blocks of a symbolic link's target; 0: it fits into the inode. */
uint64_t ext4_link_blocks(const struct tree_node *link);

/* Give the file a place, and write all of it but a regular file's content. */
V_MUST_CHECK int ext4_add_node(struct ext4 *x, struct tree_node *node, struct verr *e);

/* Write the names of a folder to its blocks, whose inode is written. */
V_MUST_CHECK int ext4_write_folder(struct ext4 *x, const struct tree_node *folder, struct verr *e);

uint32_t ext4_ino(const struct tree_node *node);

/* Write bytes to their place on the disk. */
V_MUST_CHECK int ext4_write_at(const struct ext4 *x, uint64_t offset, const void *bytes, size_t len,
			       struct verr *e);

#endif
