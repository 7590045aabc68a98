/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A snapshot's files while they are written, and their names. Theory of operation:
 *
 * Everything is written in a folder of its own beside the place where it will be,
 * ".NAME.volt-new", which is locked for as long. What is complete is made durable, files first and
 * then folders, and named last. Whatever ends the process leaves a folder that nobody has locked:
 * whoever makes the next snapshot beside it removes it.
 *
 * What is asked for file by file (apart.c) is written in files of such names, each beside its
 * place, and all made durable; then they take the places of those that are there, one right after
 * the other, the state's at the end. Should it end between, the old state has files that are not
 * what it says, and is refused (open.c). The stamp comes behind: to get a name changes what it says
 * of memory.
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

/* The parts of one that is asked for file by file, in the order in which they get their names. */
enum { PART_DISKS, PART_MEMORY, PART_STATE, PART_STAMP, PARTS };

struct snapshot_part {
	int lock;
	char name[NAME_MAX + 1];
	char temporary[NAME_MAX + 1];
	bool made;  /* something has the temporary name: this, or what it has taken the place of */
	bool named; /* this has its name */
};

struct snapshot_files {
	int parent; /* the folder in which it gets its name */
	int work;   /* the folder in which it is written */
	int disks;  /* SNAPSHOT_DISKS_FOLDER in it; -1: there are none */
	char name[NAME_MAX + 1];
	char temporary[NAME_MAX + 1];
	bool made; /* the folder is ours to remove */

	/* File by file (apart.c): no folder, but parts that have names of their own. */
	bool apart, replaces; /* there are such files already */
	int memory_parent;    /* the folder of the memory's file */
	struct snapshot_part parts[PARTS];
};

#define SNAPSHOT_FILES_INIT                                                        \
	{                                                                          \
		.parent = -1, .work = -1, .disks = -1, .memory_parent = -1,        \
		.parts = {{.lock = -1}, {.lock = -1}, {.lock = -1}, {.lock = -1}}, \
	}

/* Open something beneath a folder, through no link, by openat2(). Returns the descriptor or -1. */
int files_open(int folder, const char *name, unsigned flags);

/* Begin with the snapshot that is to be called `path`; a name that is there is refused. */
V_MUST_CHECK int files_begin(struct snapshot_files *f, const struct sandbox *sandbox,
			     const char *path, struct verr *e);

/* Begin with one of which the state becomes the file `state`, and memory the file `memory`. */
V_MUST_CHECK int files_begin_apart(struct snapshot_files *f, const struct sandbox *sandbox,
				   const char *state, const char *memory, struct verr *e);

/* What its folder of disks is called, beside its state. */
const char *files_disks_name(const struct snapshot_files *f);

/* Make an empty file in it; `disk`: in the folder of disks. Returns the descriptor or -1. */
V_MUST_CHECK int files_make(struct snapshot_files *f, const char *name, bool disk, struct verr *e);

/* The file is complete. */
V_MUST_CHECK int files_sync(int fd, const char *name, struct verr *e);

/* All files are: name it. File by file, all but the stamp, which is made and named after that. */
V_MUST_CHECK int files_name(struct snapshot_files *f, struct verr *e);
V_MUST_CHECK int apart_name_stamp(struct snapshot_files *f, struct verr *e);

/* Without files_name() nothing is left. Legal on SNAPSHOT_FILES_INIT and twice. */
void files_end(struct snapshot_files *f);

/* For apart.c. */
int files_rename(int folder, const char *from, const char *to, unsigned flags);
int files_create(int folder, const char *name); /* returns the descriptor or -1 */
V_MUST_CHECK int files_name_temporary(char temporary[static NAME_MAX + 1], const char *name,
				      struct verr *e);
void files_remove_leftovers(int parent);
void files_remove_tree(int folder, const char *name);
V_MUST_CHECK int apart_make(struct snapshot_files *f, const char *name, struct verr *e);
V_MUST_CHECK int apart_make_disks(struct snapshot_files *f, struct verr *e);
V_MUST_CHECK int apart_name(struct snapshot_files *f, struct verr *e);
void apart_end(struct snapshot_files *f);

#endif
