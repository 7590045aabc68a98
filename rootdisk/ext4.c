/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/checked.h"
#include "base/own.h"
#include "rootdisk/ext4_priv.h"
#include "cli/interrupt.h"

#define INODE_BYTES 256
#define LOG_GROUPS_PER_FLEX 4
#define UUID_VERSION 0x80 /* RFC 9562: one made in a way of our own */
#define UUID_VARIANT 0x80

int ext4_fault(struct verr *e, errcode_t code, const char *what)
{
	return verr_host(e, "%s: %s", what, error_message(code));
}

/* What Linux 6.1 and the tools of its time make and read by default. */
static void set_features(struct ext2_super_block *s)
{
	s->s_rev_level = EXT2_DYNAMIC_REV;
	s->s_feature_compat = EXT2_FEATURE_COMPAT_EXT_ATTR | EXT2_FEATURE_COMPAT_RESIZE_INODE |
			      EXT2_FEATURE_COMPAT_DIR_INDEX;
	s->s_feature_incompat = EXT2_FEATURE_INCOMPAT_FILETYPE | EXT3_FEATURE_INCOMPAT_EXTENTS |
				EXT4_FEATURE_INCOMPAT_64BIT | EXT4_FEATURE_INCOMPAT_FLEX_BG;
	s->s_feature_ro_compat =
		EXT2_FEATURE_RO_COMPAT_SPARSE_SUPER | EXT2_FEATURE_RO_COMPAT_LARGE_FILE |
		EXT4_FEATURE_RO_COMPAT_HUGE_FILE | EXT4_FEATURE_RO_COMPAT_DIR_NLINK |
		EXT4_FEATURE_RO_COMPAT_EXTRA_ISIZE | EXT4_FEATURE_RO_COMPAT_METADATA_CSUM;
}

errcode_t ext4_make(int fd, const struct ext4_plan *plan, ext2_filsys *out)
{
	struct ext2_super_block wanted = {
		.s_log_block_size = 2, /* 4096 */
		.s_log_cluster_size = 2,
		.s_inode_size = INODE_BYTES,
		.s_inodes_count = plan->inodes,
		.s_log_groups_per_flex = LOG_GROUPS_PER_FLEX,
	};
	char name[16];
	ext2_filsys fs = NULL;
	errcode_t code;
	int own = dup(fd); /* the library closes it */

	_Static_assert(TREE_BLOCK == EXT2_MIN_BLOCK_SIZE << 2, "s_log_block_size");
	if (own < 0)
		return errno;
	set_features(&wanted);
	ext2fs_blocks_count_set(&wanted, plan->size / TREE_BLOCK);
	(void)snprintf(name, sizeof(name), "%d", own);
	initialize_ext2_error_table();
	code = ext2fs_initialize(name, EXT2_FLAG_64BITS, &wanted, unixfd_io_manager, &fs);
	if (code == 0) {
		fs->now = TREE_TIME;
		code = ext2fs_allocate_tables(fs);
	}
	if (code == 0)
		*out = fs;
	else if (fs != NULL)
		ext2fs_free(fs);
	return code;
}

/* From the tree and the size: disks that differ have names that differ. */
static void set_identity(struct ext2_super_block *s, const struct tree *t, uint64_t size)
{
	const uint64_t what[] = {t->digest.low, t->digest.high, size};
	XXH128_canonical_t uuid, seed;

	XXH128_canonicalFromHash(&uuid, XXH3_128bits(what, sizeof(what)));
	XXH128_canonicalFromHash(&seed, XXH3_128bits_withSeed(what, sizeof(what), 1));
	uuid.digest[6] = (uuid.digest[6] & 0x0f) | UUID_VERSION;
	uuid.digest[8] = (uuid.digest[8] & 0x3f) | UUID_VARIANT;
	memcpy(s->s_uuid, uuid.digest, sizeof(s->s_uuid));
	memcpy(s->s_hash_seed, seed.digest, sizeof(s->s_hash_seed));
}

static void set_super(ext2_filsys fs)
{
	struct ext2_super_block *s = fs->super;

	s->s_mkfs_time = s->s_lastcheck = s->s_wtime = TREE_TIME;
	s->s_def_hash_version = EXT2_HASH_HALF_MD4;
	s->s_flags |= EXT2_FLAGS_SIGNED_HASH;
	s->s_default_mount_opts = EXT2_DEFM_XATTR_USER | EXT2_DEFM_ACL;
	s->s_min_extra_isize = s->s_want_extra_isize =
		sizeof(struct ext2_inode_large) - EXT2_GOOD_OLD_INODE_SIZE;
	s->s_checksum_type = EXT2_CRC32C_CHKSUM;
	s->s_max_mnt_count = -1;
	s->s_checkinterval = 0;
	/* The file is new, so all of it is zero: the kernel need not clear the tables. */
	for (dgrp_t i = 0; i < fs->group_desc_count; i++)
		ext2fs_bg_flags_set(fs, i, EXT2_BG_INODE_ZEROED);
}

/* The inodes that are the file system's own, empty but for the resize inode. */
static errcode_t add_own_inodes(ext2_filsys fs)
{
	struct ext2_inode_large empty = {0};
	errcode_t code = 0;

	for (ext2_ino_t i = 1; code == 0 && i < EXT4_FIRST_INO; i++) {
		if (i != EXT2_ROOT_INO)
			ext2fs_inode_alloc_stats2(fs, i, +1, 0);
		code = ext2fs_write_inode_full(fs, i, (struct ext2_inode *)&empty, sizeof(empty));
	}
	return code != 0 ? code : ext2fs_create_resize_inode(fs);
}

static errcode_t add_journal(ext2_filsys fs, uint64_t size)
{
	uint32_t blocks = ext4_journal_blocks(size);

	if (blocks == 0)
		return 0;
	return ext2fs_add_journal_inode2(fs, blocks, ~0ULL, EXT2_MKJOURNAL_LAZYINIT);
}

int ext4_open(struct ext4 *x, int fd, struct tree *t, const struct ext4_plan *plan, struct verr *e)
{
	errcode_t code;

	*x = (struct ext4){.fd = fd, .tree = t};
	if (ftruncate(fd, (off_t)plan->size) < 0)
		return verr_os(e, "make a file of %llu bytes", (unsigned long long)plan->size);
	code = ext4_make(fd, plan, &x->fs);
	if (code != 0)
		return ext4_fault(e, code, "make a file system");
	set_identity(x->fs->super, t, plan->size);
	set_super(x->fs);
	ext2fs_init_csum_seed(x->fs);
	code = add_own_inodes(x->fs);
	if (code != 0)
		return ext4_fault(e, code, "write the first inodes");
	x->next = x->fs->super->s_first_data_block;
	for (uint32_t i = 0; i < t->order_count; i++)
		if (interrupt_check(e) < 0 || ext4_add_node(x, t->order[i], e) < 0)
			return -1;
	code = add_journal(x->fs, plan->size);
	return code != 0 ? ext4_fault(e, code, "make the journal") : 0;
}

int ext4_write_at(const struct ext4 *x, uint64_t offset, const void *bytes, size_t len,
		  struct verr *e)
{
	const char *at = bytes;

	while (len > 0) {
		ssize_t n = pwrite(x->fd, at, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return verr_os(e, "write the disk");
		at += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* The run that holds that block of the file, or NULL. */
static const struct tree_run *find_run(const struct tree_node *node, uint64_t block)
{
	size_t low = 0, high = node->runs_count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct tree_run *run = &node->runs[middle];

		if (block < run->first)
			high = middle;
		else if (block >= run->first + run->count)
			low = middle + 1;
		else
			return run;
	}
	return NULL;
}

int ext4_content(void *arg, struct tree_node *node, uint64_t offset, const void *bytes, size_t len,
		 struct verr *e)
{
	const struct ext4 *x = arg;
	const char *from = bytes;

	while (len > 0) {
		const struct tree_run *run = find_run(node, offset / TREE_BLOCK);
		uint64_t within;
		size_t n;

		if (run == NULL)
			return verr_invalid(e, "changed while it was read");
		within = offset - run->first * TREE_BLOCK;
		n = (size_t)MIN((uint64_t)len, run->count * TREE_BLOCK - within);
		if (ext4_write_at(x, run->at * TREE_BLOCK + within, from, n, e) < 0)
			return -1;
		from += n;
		offset += n;
		len -= n;
	}
	return 0;
}

int ext4_close(struct ext4 *x, struct verr *e)
{
	ext2_filsys fs = x->fs;
	errcode_t code;

	x->fs = NULL;
	/* Those of groups in which nothing was placed, too. */
	for (dgrp_t i = 0; i < fs->group_desc_count; i++)
		ext2fs_group_desc_csum_set(fs, i);
	/* Whoever has the file decides when it is durable. */
	code = ext2fs_close2(fs, EXT2_FLAG_FLUSH_NO_SYNC);
	if (code != 0) {
		ext2fs_free(fs);
		return ext4_fault(e, code, "write the file system");
	}
	return 0;
}

void ext4_deinit(struct ext4 *x)
{
	if (x->fs != NULL)
		ext2fs_free(x->fs);
	*x = (struct ext4)EXT4_INIT;
}
