/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/superblock.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define UUID_SIZE 16
#define NONE 0

/* Offsets from the start of the disk. */
static const struct row {
	const char *type;
	const char *magic;
	size_t magic_size;
	off_t magic_at;
	off_t uuid_at;
	off_t label_at;
	size_t label_size;
} rows[] = {
	/* ext2 and ext3 as well: ext4 mounts all three. */
	{"ext4", "\x53\xef", 2, 1080, 1128, 1144, 16},
	{"xfs", "XFSB", 4, 0, 32, 108, 12},
	{"btrfs", "_BHRfS_M", 8, 65600, 65568, 65835, 256},
	{"erofs", "\xe2\xe1\xf5\xe0", 4, 1024, 1072, 1088, 16},
	{"squashfs", "hsqs", 4, 0, NONE, NONE, 0},
	{"swap", "SWAPSPACE2", 10, 4086, 1036, 1052, 16},
};

static bool read_at(int fd, void *out, size_t size, off_t at)
{
	return pread(fd, out, size, at) == (ssize_t)size;
}

static void write_uuid(const uint8_t *bytes, char *text)
{
	for (size_t i = 0; i < UUID_SIZE; i++) {
		bool dash = i == 4 || i == 6 || i == 8 || i == 10;

		text += sprintf(text, "%s%02x", dash ? "-" : "", bytes[i]);
	}
}

static bool take(int fd, const struct row *row, struct superblock *out)
{
	char magic[16];
	uint8_t uuid[UUID_SIZE];

	if (!read_at(fd, magic, row->magic_size, row->magic_at) ||
	    memcmp(magic, row->magic, row->magic_size) != 0)
		return false;
	*out = (struct superblock){.type = row->type};
	if (row->uuid_at != NONE && read_at(fd, uuid, sizeof(uuid), row->uuid_at))
		write_uuid(uuid, out->uuid);
	/* One byte of the array is left for the end. */
	if (row->label_size > 0 && !read_at(fd, out->label, row->label_size, row->label_at))
		out->label[0] = '\0';
	return true;
}

bool superblock_read(int fd, struct superblock *out)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (take(fd, &rows[i], out))
			return true;
	}
	return false;
}
