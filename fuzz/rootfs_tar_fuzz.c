/* SPDX-License-Identifier: Apache-2.0 */
/* Any file as a tar, written to a disk in memory: refused, or a disk whose inodes can be read. */
#include <ext2fs/ext2fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/own.h"
#include "rootdisk/ext4.h"
#include "rootdisk/furnish.h"
#include "rootdisk/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DISK_BYTES MIB(32)
#define TAR_BLOCK 512
#define TAR_MAX KIB(256)

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* With a sum that is right a changed header is looked at. */
static void mend_sums(uint8_t *tar, size_t size)
{
	for (; size >= TAR_BLOCK; tar += TAR_BLOCK, size -= TAR_BLOCK) {
		unsigned sum = 0;

		if (memcmp(tar + 257, "ustar", 5) != 0)
			continue;
		memset(tar + 148, ' ', 8);
		for (int i = 0; i < TAR_BLOCK; i++)
			sum += tar[i];
		(void)snprintf((char *)tar + 148, 8, "%06o", sum);
	}
}

/* Every inode's checksum is right, and every folder can be read. */
static void read_disk(int fd)
{
	ext2_inode_scan scan;
	struct ext2_inode inode;
	ext2_filsys fs;
	ext2_ino_t ino;
	char name[32];

	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	must(ext2fs_open(name, EXT2_FLAG_64BITS, 0, 0, unix_io_manager, &fs) == 0);
	must(ext2fs_read_bitmaps(fs) == 0);
	must(ext2fs_open_inode_scan(fs, 0, &scan) == 0);
	do {
		must(ext2fs_get_next_inode(scan, &ino, &inode) == 0);
		must(!LINUX_S_ISDIR(inode.i_mode) || ino == 0 ||
		     ext2fs_check_directory(fs, ino) == 0);
	} while (ino != 0);
	ext2fs_close_inode_scan(scan);
	must(ext2fs_close(fs) == 0);
}

static int write_disk(struct source *s, struct tree *t, int fd, struct verr *e)
{
	struct furnish none = FURNISH_INIT;
	struct ext4 x = EXT4_INIT;
	struct ext4_plan plan;
	int r = -1;

	if (source_survey(s, t, e) == 0 && furnish_tree(&none, t, e) == 0 &&
	    tree_finish(t, e) == 0 && ext4_plan(t, DISK_BYTES, &plan, e) == 0 &&
	    ext4_open(&x, fd, t, &plan, e) == 0 && source_copy(s, ext4_content, &x, e) == 0)
		r = ext4_close(&x, e);
	ext4_deinit(&x);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_fd tar = memfd_create("tar", MFD_CLOEXEC), disk = memfd_create("disk", MFD_CLOEXEC);
	auto_free uint8_t *copy = malloc(size + 1);
	const struct source_owner asis = {0};
	struct source *s = NULL;
	struct verr e = VERR_INIT;
	struct tree t;

	if (size > TAR_MAX)
		return 0;
	must(tar >= 0 && disk >= 0 && copy != NULL);
	memcpy(copy, data, size);
	mend_sums(copy, size);
	must(write(tar, copy, size) == (ssize_t)size);
	must(tree_init(&t, &e) == 0 && source_open_tar(&s, tar, &asis, &e) == 0);
	if (write_disk(s, &t, disk, &e) == 0)
		read_disk(disk);
	else
		must(e.kind == VERR_INVALID && e.text[0] != '\0');
	tree_deinit(&t);
	s = source_free(s);
	return 0;
}
