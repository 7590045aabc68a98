/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/own.h"
#include "rootdisk/ext4_priv.h"

#define RUN_MAX 32768 /* blocks of one extent */

/* Device numbers as the kernel keeps them. */
#define MAJOR_MAX 0xfff
#define MINOR_MAX 0xfffff

/* What ext4's 34 bits of seconds hold. */
#define TIME_MIN (-(INT64_C(1) << 31))
#define TIME_MAX ((INT64_C(1) << 34) + TIME_MIN - 1)

uint32_t ext4_ino(const struct tree_node *node)
{
	return node->index == 0 ? EXT2_ROOT_INO : EXT4_FIRST_INO + node->index - 1;
}

uint64_t ext4_link_blocks(const struct tree_node *link)
{
	return strlen(link->target) < sizeof(((struct ext2_inode *)NULL)->i_block) ? 0 : 1;
}

static int fill_device(struct ext2_inode_large *inode, const struct tree_node *node, struct verr *e)
{
	if (node->major > MAJOR_MAX || node->minor > MINOR_MAX)
		return verr_invalid(e, "a device %u:%u, which Linux cannot have", node->major,
				    node->minor);
	if (node->major < 256 && node->minor < 256)
		inode->i_block[0] = node->major << 8 | node->minor;
	else
		inode->i_block[1] =
			(node->minor & 0xff) | node->major << 8 | (node->minor & ~0xffU) << 12;
	return 0;
}

static void fill_times(struct ext2_inode_large *inode, const struct tree_node *node)
{
	int64_t seconds = MAX(TIME_MIN, MIN(TIME_MAX, node->mtime));
	uint32_t low = (uint32_t)seconds;
	uint32_t extra = (uint32_t)((uint64_t)(seconds - (int32_t)low) >> 32 & 3) |
			 (node->mtime_ns % 1000000000U) << 2;

	inode->i_atime = inode->i_ctime = inode->i_mtime = inode->i_crtime = low;
	inode->i_atime_extra = inode->i_ctime_extra = inode->i_mtime_extra = inode->i_crtime_extra =
		extra;
}

static int fill_inode(struct ext2_inode_large *inode, const struct tree_node *node, struct verr *e)
{
	uint32_t links = S_ISDIR(node->mode) ? 2 + node->folders_count : node->links;

	*inode = (struct ext2_inode_large){
		.i_mode = (uint16_t)node->mode,
		.i_uid = (uint16_t)node->uid,
		.osd2.linux2.l_i_uid_high = (uint16_t)(node->uid >> 16),
		.i_gid = (uint16_t)node->gid,
		.osd2.linux2.l_i_gid_high = (uint16_t)(node->gid >> 16),
		/* So says the feature dir_nlink of a folder with more. */
		.i_links_count =
			(uint16_t)(links >= TREE_LINKS_MAX && S_ISDIR(node->mode) ? 1 : links),
		.i_extra_isize = sizeof(*inode) - EXT2_GOOD_OLD_INODE_SIZE,
	};
	fill_times(inode, node);
	if (S_ISCHR(node->mode) || S_ISBLK(node->mode))
		return fill_device(inode, node, e);
	return 0;
}

/* Take the next free blocks, `count` or fewer. */
static int take_blocks(struct ext4 *x, uint64_t count, struct tree_run *run, struct verr *e)
{
	blk64_t at, len;
	errcode_t code = ext2fs_new_range(x->fs, 0, x->next, count, NULL, &at, &len);

	if (code != 0)
		return ext4_fault(e, code, "find room");
	run->at = at;
	run->count = MIN(MIN(len, count), RUN_MAX);
	ext2fs_block_alloc_stats_range(x->fs, at, (blk_t)run->count, +1);
	x->next = at + run->count;
	return 0;
}

/* The places of a file's blocks, as they are found; replaces the runs without places. */
struct places {
	struct tree_run *runs;
	size_t count, room;
};

static int add_place(struct places *p, struct tree_run run, struct verr *e)
{
	if (p->count == p->room) {
		size_t room = MAX(p->room * 2, 4);
		struct tree_run *more = realloc(p->runs, room * sizeof(*more));

		if (more == NULL)
			return verr_host(e, "out of memory");
		p->runs = more;
		p->room = room;
	}
	p->runs[p->count++] = run;
	return 0;
}

static int find_places(struct ext4 *x, const struct tree_node *node, struct places *p,
		       struct verr *e)
{
	for (size_t i = 0; i < node->runs_count; i++) {
		const struct tree_run *want = &node->runs[i];

		for (uint64_t done = 0; done < want->count;) {
			struct tree_run run = {.first = want->first + done};

			if (take_blocks(x, want->count - done, &run, e) < 0 ||
			    add_place(p, run, e) < 0)
				return -1;
			done += run.count;
		}
	}
	return 0;
}

/* The inode's tree of extents; blocks that this takes follow the file's own. */
static int add_extents(struct ext4 *x, const struct tree_node *node, struct ext2_inode *inode,
		       struct verr *e)
{
	ext2_extent_handle_t handle;
	errcode_t code = ext2fs_extent_open2(x->fs, ext4_ino(node), inode, &handle);

	if (code != 0)
		return ext4_fault(e, code, "place a file");
	for (size_t i = 0; code == 0 && i < node->runs_count; i++) {
		struct ext2fs_extent extent = {.e_pblk = node->runs[i].at,
					       .e_lblk = node->runs[i].first,
					       .e_len = (uint32_t)node->runs[i].count};

		code = ext2fs_extent_insert(handle, EXT2_EXTENT_INSERT_AFTER, &extent);
		if (code == 0)
			code = ext2fs_iblk_add_blocks(x->fs, inode, node->runs[i].count);
	}
	ext2fs_extent_free(handle);
	return code != 0 ? ext4_fault(e, code, "place a file") : 0;
}

static int keep_places(struct ext4 *x, struct tree_node *node, const struct places *p,
		       struct verr *e)
{
	if (p->count == 0)
		return 0;
	node->runs = tree_alloc(x->tree, p->count * sizeof(*p->runs));
	if (node->runs == NULL)
		return verr_host(e, "out of memory");
	memcpy(node->runs, p->runs, p->count * sizeof(*p->runs));
	node->runs_count = p->count;
	return 0;
}

static int place_node(struct ext4 *x, struct tree_node *node, struct ext2_inode *inode,
		      struct verr *e)
{
	struct places p = {.runs = NULL};
	int r = find_places(x, node, &p, e);

	if (r == 0)
		r = keep_places(x, node, &p, e);
	free(p.runs);
	return r < 0 ? -1 : add_extents(x, node, inode, e);
}

static int write_inode(struct ext4 *x, const struct tree_node *node,
		       const struct ext2_inode_large *inode, struct verr *e)
{
	errcode_t code = ext2fs_write_inode_full(
		x->fs, ext4_ino(node), (struct ext2_inode *)(uintptr_t)inode, sizeof(*inode));

	return code != 0 ? ext4_fault(e, code, "write an inode") : 0;
}

/* A file's bytes follow; what is not a regular file has `blocks` of its own making. */
static int add_blocks(struct ext4 *x, struct tree_node *node, struct ext2_inode_large *inode,
		      uint64_t size, uint64_t blocks, struct verr *e)
{
	errcode_t code;

	if (!S_ISREG(node->mode)) {
		node->runs = tree_alloc(x->tree, sizeof(*node->runs));
		if (node->runs == NULL)
			return verr_host(e, "out of memory");
		node->runs[0] = (struct tree_run){.count = blocks};
		node->runs_count = 1;
	}
	inode->i_flags |= EXT4_EXTENTS_FL;
	code = ext2fs_inode_size_set(x->fs, (struct ext2_inode *)inode, (ext2_off64_t)size);
	if (code != 0)
		return ext4_fault(e, code, "size a file");
	/* An inode with extents is read back while they are added. */
	if (write_inode(x, node, inode, e) < 0)
		return -1;
	return place_node(x, node, (struct ext2_inode *)inode, e);
}

static int add_xattrs(struct ext4 *x, const struct tree_node *node, struct verr *e)
{
	struct ext2_xattr_handle *handle;
	errcode_t code = ext2fs_xattrs_open(x->fs, ext4_ino(node), &handle);

	for (const struct tree_xattr *a = node->xattrs; code == 0 && a != NULL; a = a->next)
		code = ext2fs_xattr_set(handle, a->name, a->value, a->len);
	(void)ext2fs_xattrs_close(&handle);
	if (code == EXT2_ET_EA_NO_SPACE)
		return verr_invalid(e, "more extended attributes than fit into one block");
	if (code == EINVAL)
		return verr_invalid(e, "an ACL or another attribute that is malformed");
	return code != 0 ? ext4_fault(e, code, "write extended attributes") : 0;
}

static int add_link(struct ext4 *x, struct tree_node *node, struct ext2_inode_large *inode,
		    struct verr *e)
{
	size_t len = strlen(node->target);

	if (ext4_link_blocks(node) == 0) {
		memcpy(inode->i_block, node->target, len);
		inode->i_size = (uint32_t)len;
		return 0;
	}
	if (add_blocks(x, node, inode, len, 1, e) < 0)
		return -1;
	return ext4_write_at(x, node->runs[0].at * TREE_BLOCK, node->target, len, e);
}

static int add_by_type(struct ext4 *x, struct tree_node *node, struct ext2_inode_large *inode,
		       struct verr *e)
{
	uint64_t blocks;

	switch (node->mode & S_IFMT) {
	case S_IFREG:
		return add_blocks(x, node, inode, node->size, 0, e);
	case S_IFDIR:
		blocks = ext4_folder_blocks(node);
		return add_blocks(x, node, inode, blocks * TREE_BLOCK, blocks, e);
	case S_IFLNK:
		return add_link(x, node, inode, e);
	default:
		return 0;
	}
}

int ext4_add_node(struct ext4 *x, struct tree_node *node, struct verr *e)
{
	struct ext2_inode_large inode;

	if (fill_inode(&inode, node, e) < 0)
		return -1;
	ext2fs_inode_alloc_stats2(x->fs, ext4_ino(node), +1, S_ISDIR(node->mode));
	if (add_by_type(x, node, &inode, e) < 0 || write_inode(x, node, &inode, e) < 0)
		return -1;
	if (S_ISDIR(node->mode) && ext4_write_folder(x, node, e) < 0)
		return -1;
	return node->xattrs != NULL ? add_xattrs(x, node, e) : 0;
}
