/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/checked.h"
#include "base/own.h"
#include "rootdisk/ext4_priv.h"

#define BYTES_PER_INODE KIB(16) /* as mke2fs has it */
#define SPARE_INODES 64
#define GROUP_INODES_MAX 32768 /* what the bitmap of a block group holds */
#define GROUP_BYTES MIB(128)
#define RUNS_PER_BLOCK 300 /* of the tree of a file with many runs; there is room for 340 */

#define DEFAULT_LEAST GIB(1)
#define DEFAULT_STEP MIB(64)
#define LEAST_STEP MIB(1) /* what a fault names is rounded up to this */

/* Blocks that a file of `count` runs may take for their tree, which has its first four inside the
 * inode. */
static uint64_t tree_blocks(uint64_t runs)
{
	return runs <= 4 ? 0 : runs / RUNS_PER_BLOCK + 2;
}

static uint64_t file_blocks(const struct tree_node *node)
{
	uint64_t blocks = 0, runs = node->runs_count;

	for (size_t i = 0; i < node->runs_count; i++)
		blocks += node->runs[i].count;
	/* A run that goes on behind a block group's own blocks becomes two. */
	return blocks + tree_blocks(runs + 2 * blocks * TREE_BLOCK / GROUP_BYTES);
}

static uint64_t node_blocks(const struct tree_node *node)
{
	uint64_t blocks = node->xattrs != NULL;

	if (S_ISREG(node->mode))
		return blocks + file_blocks(node);
	if (S_ISDIR(node->mode))
		return blocks + ext4_folder_blocks(node);
	if (S_ISLNK(node->mode))
		return blocks + ext4_link_blocks(node);
	return blocks;
}

uint32_t ext4_journal_blocks(uint64_t size)
{
	int blocks = ext2fs_default_journal_size(size / TREE_BLOCK);

	return blocks > 0 ? (uint32_t)blocks : 0;
}

/* Do they fit? Asks libext2fs what it would leave free. */
static bool fits(const struct ext4_plan *p, int fd)
{
	ext2_filsys fs;
	bool room;

	if (ext4_make(fd, p, &fs) != 0)
		return false;
	room = p->blocks + ext4_journal_blocks(p->size) <= ext2fs_free_blocks_count(fs->super) &&
	       p->inodes <= fs->super->s_inodes_count;
	ext2fs_free(fs);
	return room;
}

static void set_size(struct ext4_plan *p, const struct tree *t, uint64_t size)
{
	uint64_t inodes = MAX((uint64_t)t->order_count + EXT4_FIRST_INO + SPARE_INODES,
			      size / BYTES_PER_INODE);

	p->size = size & ~(uint64_t)(TREE_BLOCK - 1);
	p->inodes = (uint32_t)MIN(inodes, UINT32_MAX);
}

/* The least size on which they fit. */
static int find_least(struct ext4_plan *p, const struct tree *t, int fd, struct verr *e)
{
	uint64_t least =
		MAX(p->blocks * TREE_BLOCK, t->order_count / GROUP_INODES_MAX * GROUP_BYTES);

	/* What the file system takes itself is a small part: half a percent at a time. */
	for (least = (least | (LEAST_STEP - 1)) + 1; least <= EXT4_SIZE_MAX;
	     least += MAX(LEAST_STEP, (least / 256) & ~(LEAST_STEP - 1))) {
		set_size(p, t, least);
		if (fits(p, fd))
			return 0;
	}
	return verr_invalid(e, "the files take more than 16 TiB");
}

int ext4_plan(const struct tree *t, uint64_t size, struct ext4_plan *p, struct verr *e)
{
	auto_fd fd = memfd_create("plan", MFD_CLOEXEC);
	uint64_t files;

	if (fd < 0)
		return verr_os(e, "make a file in memory");
	*p = (struct ext4_plan){.blocks = 1}; /* the resize inode's own */
	for (uint32_t i = 0; i < t->order_count; i++) {
		if (t->order[i]->size >= EXT4_SIZE_MAX)
			return verr_invalid(e, "a file of 16 TiB or more");
		p->blocks += node_blocks(t->order[i]);
		if (p->blocks > EXT4_SIZE_MAX / TREE_BLOCK)
			return verr_invalid(e, "the files take more than 16 TiB");
	}
	if (size > EXT4_SIZE_MAX)
		return verr_invalid(e, "more than 16 TiB");
	set_size(p, t, size);
	if (size != 0 && fits(p, fd))
		return 0;
	if (find_least(p, t, fd, e) < 0)
		return -1;
	files = p->blocks * TREE_BLOCK / MIB(1) + 1;
	if (size != 0)
		return verr_invalid(e,
				    "too small: %u files with %llu MiB take --size %lluM at least",
				    t->order_count, (unsigned long long)files,
				    (unsigned long long)(p->size / MIB(1)));
	if (!align_up_u64(MAX(DEFAULT_LEAST, p->size * 2), DEFAULT_STEP, &size) ||
	    size > EXT4_SIZE_MAX)
		size = EXT4_SIZE_MAX;
	set_size(p, t, size);
	return fits(p, fd) ? 0 : verr_invalid(e, "the files take more than 16 TiB");
}
