/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A snapshot's files while they are written, and their names. Theory of operation:
 *
 * Everything is written in a folder of its own beside the place where it will be,
 * ".NAME.volt-new", which is locked for as long. What is complete is made durable, files first and
 * then folders, and named last: a folder by renaming it; files that were asked for one by one by
 * moving them out of it, the state's at the end. Up to then a snapshot that was called so before is
 * untouched, and whatever ends the process leaves a folder that nobody has locked: whoever makes
 * the next snapshot beside it removes it.
 */
#ifndef VOLT_VMM_SNAPSHOT_FILES_H
#define VOLT_VMM_SNAPSHOT_FILES_H

#include <limits.h>

#include "base/verr.h"
#include "vmm/sandbox/sandbox.h"

#define SNAPSHOT_STATE_FILE "state"
#define SNAPSHOT_MEMORY_FILE "memory"
#define SNAPSHOT_DISKS_FOLDER "disks"
#define SNAPSHOT_STAMP_FILE "verified"

struct snapshot_files {
	int parent; /* the folder in which it gets its name */
	int work;   /* the folder in which it is written */
	int disks;  /* SNAPSHOT_DISKS_FOLDER in it; -1: there are none */
	char name[NAME_MAX + 1];
	char temporary[NAME_MAX + 1];
	bool made; /* the folder is ours to remove */
};

#define SNAPSHOT_FILES_INIT                            \
	{                                              \
		.parent = -1, .work = -1, .disks = -1, \
	}

/* Open something beneath a folder, through no link, by openat2(). Returns the descriptor or -1. */
int files_open(int folder, const char *name, unsigned flags);

/* Begin with the snapshot that is to be called `path`; a name that is there is refused. */
V_MUST_CHECK int files_begin(struct snapshot_files *f, const struct sandbox *sandbox,
			     const char *path, struct verr *e);

/* Make an empty file in it; `disk`: in the folder of disks. Returns the descriptor or -1. */
V_MUST_CHECK int files_make(struct snapshot_files *f, const char *name, bool disk, struct verr *e);

/* The file is complete. */
V_MUST_CHECK int files_sync(int fd, const char *name, struct verr *e);

/* All files are: name it. */
V_MUST_CHECK int files_name(struct snapshot_files *f, struct verr *e);

/* Without files_name() nothing is left. Legal on SNAPSHOT_FILES_INIT and twice. */
void files_end(struct snapshot_files *f);

#endif
