/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A raw file or block device as a disk. What is in it is never looked at: a guest that could write
 * a header and have it believed would reach other files.
 */
#ifndef VOLT_VMM_DEVICES_BLOCK_FILE_H
#define VOLT_VMM_DEVICES_BLOCK_FILE_H

#include "vmm/devices/block/disk.h"

struct disk_file {
	struct disk_medium medium; /* first */
	int fd;
};

#define DISK_FILE_INIT   \
	{                \
		.fd = -1 \
	}

/*
 * Open a regular file or a block device and lock it against other virtual machines (flock: one
 * writer, or several readers). A file that is not whole sectors long loses its last part, with a
 * log line.
 */
V_MUST_CHECK int disk_file_open(const char *path, bool readonly, struct disk_file *out,
				struct verr *e);

/* How a file of a disk is opened. */
#define DISK_FILE_FLAGS(readonly) (((readonly) ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK)

/*
 * What a disk would be with another file behind it: the one that is open as `fd` (taken; `path`
 * names it), locked; or, where that is the same or `fd` is -1, with what has become of its size.
 */
V_MUST_CHECK int disk_file_reopen(const struct disk_file *file, int fd, const char *path,
				  struct disk_file *out, struct verr *e);
void disk_file_close(struct disk_file *file);

/* Take the first `len` bytes off an operation's buffers: they are done. */
void disk_io_advance(struct disk_io *io, uint64_t len);

/* The flags of fallocate() for DISK_DISCARD and DISK_WRITE_ZEROES. */
int disk_io_fallocate_mode(const struct disk_io *io);

#endif
