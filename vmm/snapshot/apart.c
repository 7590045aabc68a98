/* SPDX-License-Identifier: Apache-2.0 */
/* A snapshot that is asked for file by file: its parts, each beside its place until all is there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "vmm/snapshot/files.h"

#define TRIES 3

/* What it is called while it is made, and what stands behind the state's name afterwards. */
static const struct {
	const char *name, *suffix;
} kinds[PARTS] = {
	[PART_DISKS] = {SNAPSHOT_DISKS_FOLDER, "." SNAPSHOT_DISKS_FOLDER},
	[PART_MEMORY] = {SNAPSHOT_MEMORY_FILE, NULL},
	[PART_STATE] = {SNAPSHOT_STATE_FILE, ""},
	[PART_STAMP] = {SNAPSHOT_STAMP_FILE, "." SNAPSHOT_STAMP_FILE},
};

static int folder_of(const struct snapshot_files *f, int part)
{
	return part == PART_MEMORY ? f->memory_parent : f->parent;
}

static bool is_there(int folder, const char *name)
{
	struct stat st;

	return fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Only what may be a part of an older snapshot is replaced, or of one that was ended midway. */
static int look(struct snapshot_files *f, int part, struct verr *e)
{
	const char *name = f->parts[part].name;
	struct stat st;

	if (fstatat(folder_of(f, part), name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : verr_invalid_os(e, "%s", name);
	if (part == PART_DISKS ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode))
		return verr_invalid(e, "%s: there is something else of this name", name);
	if (part == PART_DISKS && !is_there(f->parent, f->parts[PART_STATE].name) &&
	    !is_there(f->parent, f->parts[PART_STATE].temporary))
		return verr_invalid(
			e, "%s: there is a folder of this name, and no snapshot beside it", name);
	f->replaces = true;
	return 0;
}

static bool same_folder(const struct snapshot_files *f)
{
	struct stat a, b;

	return fstat(f->parent, &a) == 0 && fstat(f->memory_parent, &b) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int name_parts(struct snapshot_files *f, const char *state, const char *memory,
		      struct verr *e)
{
	bool same = same_folder(f);

	for (int i = 0; i < PARTS; i++) {
		struct snapshot_part *part = &f->parts[i];

		if (snprintf(part->name, sizeof(part->name), "%s%s",
			     i == PART_MEMORY ? memory : state,
			     i == PART_MEMORY ? "" : kinds[i].suffix) > NAME_MAX)
			return verr_invalid(e, "%s: too long for a name", state);
		if (same && i != PART_MEMORY && strcmp(part->name, memory) == 0)
			return verr_invalid(e, "%s: one name for two files of the snapshot",
					    memory);
		if (files_name_temporary(part->temporary, part->name, e) < 0)
			return -1;
	}
	for (int i = 0; i < PARTS; i++)
		if (look(f, i, e) < 0)
			return -1;
	return 0;
}

int files_begin_apart(struct snapshot_files *f, const struct sandbox *sandbox, const char *state,
		      const char *memory, struct verr *e)
{
	const char *state_name, *memory_name;

	f->apart = true;
	f->parent = sandbox_open_snapshots(sandbox, state, &state_name, e);
	if (f->parent < 0)
		return -1;
	f->memory_parent = sandbox_open_snapshots(sandbox, memory, &memory_name, e);
	if (f->memory_parent < 0 || name_parts(f, state_name, memory_name, e) < 0)
		return -1;
	files_remove_leftovers(f->parent);
	files_remove_leftovers(f->memory_parent);
	return 0;
}

const char *files_disks_name(const struct snapshot_files *f)
{
	return f->apart ? f->parts[PART_DISKS].name : SNAPSHOT_DISKS_FOLDER;
}

/* By a descriptor of its own, which stays. Whoever looks for leftovers may have been faster. */
static bool lock(struct snapshot_part *part, int folder, int flags)
{
	struct stat own, named;

	part->lock = files_open(folder, part->temporary, (unsigned)flags);
	if (part->lock >= 0 && flock(part->lock, LOCK_EX | LOCK_NB) == 0 &&
	    fstat(part->lock, &own) == 0 &&
	    fstatat(folder, part->temporary, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	    own.st_dev == named.st_dev && own.st_ino == named.st_ino)
		return true;
	fd_close(&part->lock);
	return false;
}

int apart_make(struct snapshot_files *f, const char *name, struct verr *e)
{
	int index = 0, folder;
	struct snapshot_part *part;

	while (index < PARTS - 1 && strcmp(kinds[index].name, name) != 0)
		index++;
	part = &f->parts[index];
	folder = folder_of(f, index);
	for (int i = 0; i < TRIES; i++) {
		auto_fd fd = files_create(folder, part->temporary);

		if (fd < 0 && errno != EEXIST)
			return verr_invalid_os(e, "make %s", part->name);
		part->made = fd >= 0 && lock(part, folder, O_RDONLY);
		if (part->made)
			return fd_take(&fd);
	}
	return verr_state(e, "%s: somebody else is making it", part->name);
}

int apart_make_disks(struct snapshot_files *f, struct verr *e)
{
	struct snapshot_part *part = &f->parts[PART_DISKS];

	for (int i = 0; i < TRIES; i++) {
		if (mkdirat(f->parent, part->temporary, 0700) < 0 && errno != EEXIST)
			return verr_invalid_os(e, "make %s", part->name);
		part->made = lock(part, f->parent, O_RDONLY | O_DIRECTORY);
		if (!part->made)
			continue;
		f->disks = files_open(f->parent, part->temporary, O_RDONLY | O_DIRECTORY);
		return f->disks < 0 ? verr_os(e, "open the folder of disks") : 0;
	}
	return verr_state(e, "%s: somebody else is making it", part->name);
}

/* What has the name gets the temporary one, and stays until all is named. */
static int put_in_place(struct snapshot_part *part, int folder, bool disks)
{
	part->named = files_rename(folder, part->temporary, part->name, RENAME_EXCHANGE) == 0;
	if (part->named)
		return 0;
	/* There is nothing, or the file system cannot do so. */
	if (errno != ENOENT && errno != EINVAL && errno != EXDEV)
		return -1;
	if (errno != ENOENT && disks)
		files_remove_tree(folder, part->name);
	if (files_rename(folder, part->temporary, part->name, 0) < 0)
		return -1;
	part->named = true;
	part->made = false;
	return 0;
}

/* The last part has no name: the others get theirs back. */
static void undo(struct snapshot_files *f)
{
	for (int i = PART_STATE - 1; i >= 0; i--) {
		struct snapshot_part *part = &f->parts[i];

		if (!part->named)
			continue;
		(void)files_rename(folder_of(f, i), part->name, part->temporary,
				   part->made ? RENAME_EXCHANGE : 0);
		part->named = false;
		part->made = true;
	}
}

int apart_name(struct snapshot_files *f, struct verr *e)
{
	if (f->disks >= 0 && fsync(f->disks) < 0)
		return verr_os(e, "make the folder of disks durable");
	/* Nothing but these calls is between two of them. */
	for (int i = 0; i <= PART_STATE; i++) {
		struct snapshot_part *part = &f->parts[i];

		if (!part->made || put_in_place(part, folder_of(f, i), i == PART_DISKS) == 0)
			continue;
		(void)verr_os(e, "name %s", part->name);
		undo(f);
		return -1;
	}
	if (fsync(f->parent) < 0 || fsync(f->memory_parent) < 0)
		return verr_os(e, "make durable the names that the snapshot's files have by now");
	return 0;
}

int apart_name_stamp(struct snapshot_files *f, struct verr *e)
{
	struct snapshot_part *part = &f->parts[PART_STAMP];

	if (files_rename(f->parent, part->temporary, part->name, 0) < 0)
		return verr_os(e, "name %s", part->name);
	part->made = false;
	return 0;
}

void apart_end(struct snapshot_files *f)
{
	for (int i = 0; i < PARTS; i++) {
		struct snapshot_part *part = &f->parts[i];

		if (part->made && i == PART_DISKS)
			files_remove_tree(f->parent, part->temporary);
		else if (part->made)
			(void)unlinkat(folder_of(f, i), part->temporary, 0);
		part->made = false;
		fd_close(&part->lock);
	}
	fd_close(&f->memory_parent);
}
