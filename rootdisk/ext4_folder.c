/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blocks of folders, filled one after the other from the sorted names: libext2fs's own way,
 * a name at a time, reads the whole folder for each.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/own.h"
#include "rootdisk/ext4_priv.h"

/* The end of each block is its checksum's. */
#define BLOCK_ROOM (TREE_BLOCK - sizeof(struct ext2_dir_entry_tail))

static unsigned entry_room(size_t name_len)
{
	return ext2fs_dir_rec_len((uint8_t)name_len, 0);
}

/* Both links up are in the first block. */
static size_t links_room(void)
{
	return entry_room(1) + entry_room(2);
}

uint64_t ext4_folder_blocks(const struct tree_node *folder)
{
	uint64_t blocks = 1;
	size_t used = links_room();

	for (uint32_t i = 0; i < folder->names_count; i++) {
		unsigned room = entry_room(folder->names[i]->len);

		if (used + room > BLOCK_ROOM) {
			blocks++;
			used = 0;
		}
		used += room;
	}
	return blocks;
}

static uint8_t file_type(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return EXT2_FT_REG_FILE;
	case S_IFDIR:
		return EXT2_FT_DIR;
	case S_IFCHR:
		return EXT2_FT_CHRDEV;
	case S_IFBLK:
		return EXT2_FT_BLKDEV;
	case S_IFIFO:
		return EXT2_FT_FIFO;
	case S_IFSOCK:
		return EXT2_FT_SOCK;
	case S_IFLNK:
		return EXT2_FT_SYMLINK;
	default:
		return EXT2_FT_UNKNOWN;
	}
}

/* A folder as it is filled: one block at a time. */
struct fill {
	struct ext4 *x;
	const struct tree_node *folder;
	size_t run;     /* where its next block is */
	uint64_t block; /* within the run */
	size_t used;
	struct ext2_dir_entry *last;
	_Alignas(8) char bytes[TREE_BLOCK];
};

static void put_entry(struct fill *f, const struct tree_node *node, const char *text, size_t len)
{
	struct ext2_dir_entry *entry = (void *)(f->bytes + f->used);
	unsigned room = entry_room(len);

	entry->inode = ext4_ino(node);
	entry->rec_len = (uint16_t)room;
	ext2fs_dirent_set_name_len(entry, (int)len);
	ext2fs_dirent_set_file_type(entry, file_type(node->mode));
	memcpy(entry->name, text, len);
	f->last = entry;
	f->used += room;
}

static int end_block(struct fill *f, struct verr *e)
{
	const struct tree_run *run = &f->folder->runs[f->run];
	ext2_filsys fs = f->x->fs;
	errcode_t code;

	f->last->rec_len = (uint16_t)(f->bytes + BLOCK_ROOM - (char *)f->last);
	ext2fs_initialize_dirent_tail(fs, (void *)(f->bytes + BLOCK_ROOM));
	code = ext2fs_write_dir_block4(fs, run->at + f->block, f->bytes, 0, ext4_ino(f->folder));
	if (code != 0)
		return ext4_fault(e, code, "write a folder");
	memset(f->bytes, 0, sizeof(f->bytes));
	f->used = 0;
	if (++f->block == run->count) {
		f->block = 0;
		f->run++;
	}
	return 0;
}

int ext4_write_folder(struct ext4 *x, const struct tree_node *folder, struct verr *e)
{
	auto_free struct fill *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return verr_host(e, "out of memory");
	f->x = x;
	f->folder = folder;
	put_entry(f, folder, ".", 1);
	put_entry(f, folder->parent, "..", 2);
	for (uint32_t i = 0; i < folder->names_count; i++) {
		const struct tree_name *n = folder->names[i];

		if (f->used + entry_room(n->len) > BLOCK_ROOM && end_block(f, e) < 0)
			return -1;
		put_entry(f, n->node, n->text, n->len);
	}
	return end_block(f, e);
}
