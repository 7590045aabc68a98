/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A root disk: the files of a tar or a folder, and what a guest needs besides, as an ext4 file
 * system. The same files, options and volt-init give the same bytes.
 *
 * In this order: disk_init(), one of disk_read_*(), disk_plan(), disk_write().
 */
#ifndef VOLT_ROOTDISK_DISK_H
#define VOLT_ROOTDISK_DISK_H

#include "rootdisk/ext4.h"
#include "rootdisk/furnish.h"
#include "rootdisk/source.h"

struct disk_options {
	struct source_owner owner;
	uint64_t size; /* bytes; 0: see ext4_plan() */
	bool without_init;
	const char *init; /* volt-init's file; NULL: the one that belongs to this program */
};

struct disk {
	struct disk_options options;
	struct source *source;
	struct tree tree;
	struct furnish furnish;
	struct ext4 ext4;
	struct ext4_plan plan; /* from disk_plan() on */
};

#define DISK_INIT                                           \
	{                                                   \
		.furnish = FURNISH_INIT, .ext4 = EXT4_INIT, \
	}

V_MUST_CHECK int disk_init(struct disk *d, const struct disk_options *options, struct verr *e);
void disk_deinit(struct disk *d);

/* Know what there is. `fd` (borrowed) can be read twice. */
V_MUST_CHECK int disk_read_folder(struct disk *d, const char *path, struct verr *e);
V_MUST_CHECK int disk_read_tar(struct disk *d, int fd, struct verr *e);

/* Know how large the disk will be; a fault says so where it is too small for what there is. */
V_MUST_CHECK int disk_plan(struct disk *d, struct verr *e);

/* Write it to `fd`, an empty file. */
V_MUST_CHECK int disk_write(struct disk *d, int fd, struct verr *e);

#endif
