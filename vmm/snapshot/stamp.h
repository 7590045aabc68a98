/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that were found to be what their snapshot says, so that they need not be read again: a line
 * for each, with what the kernel changes when somebody writes to the file. It saves reading, and
 * nothing else: where it is missing, or not the file's, the file is read.
 *
 *	volt-verified 2 ID-OF-THE-SNAPSHOT DEVICE INODE BIRTH-IN-NS
 *	DEVICE INODE SIZE CTIME-IN-NS NAME
 *	end
 *
 * The first line's numbers are those of the stamp's own file, so that one which came with a
 * snapshot from elsewhere does not count: it could say that a file of this host is verified whose
 * content its author does not know, and wants his guest to see.
 */
#ifndef VOLT_VMM_SNAPSHOT_STAMP_H
#define VOLT_VMM_SNAPSHOT_STAMP_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/verr.h"

#define STAMP_FILES_MAX 64
#define STAMP_ID 16

struct stamp_file {
	char name[64]; /* within the snapshot: "memory", a disk's id */
	uint64_t device, inode, size, ctime_ns;
};

/* The file that a stamp is in: what nobody can choose who has others make it. */
struct stamp_self {
	uint64_t device, inode, born_ns; /* 0: the file system does not know */
};

struct stamp {
	uint8_t id[STAMP_ID];
	struct stamp_self self; /* of one that was read */
	struct stamp_file files[STAMP_FILES_MAX];
	size_t count;
};

/* What an open file is now; false: it is not regular, and never verified by this. */
bool stamp_of(int fd, const char *name, struct stamp_file *out);

/* Add it; nothing where there is no room. */
void stamp_add(struct stamp *s, const struct stamp_file *file);

/* The same in place of what was said of a file of this name. */
void stamp_set(struct stamp *s, const struct stamp_file *file);

/* Is it there, just so? */
bool stamp_has(const struct stamp *s, const struct stamp_file *file);

/* Write it to an open, empty file. */
V_MUST_CHECK int stamp_write(const struct stamp *s, int fd, struct verr *e);

/* Was it written into this very file? */
bool stamp_is_own(const struct stamp *s, int fd);

/*
 * Read one; of what is not whole, or another snapshot's, nothing is believed. Whether it may be is
 * stamp_is_own()'s to say.
 */
void stamp_read(struct stamp *s, const uint8_t id[static STAMP_ID], int fd);

/* Put it in the place of the one at `path`, if that can be. */
void stamp_replace(const struct stamp *s, const char *path);

#endif
