/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/snapshot/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"

#define SUFFIX ".volt-new"
#define DEPTH_MAX 3
#define TRIES 3

/* One call for all that is opened, beneath a folder and through no link. */
static int open_new(int folder, const char *name, unsigned flags, unsigned mode)
{
	struct open_how how = {.flags = flags | O_CLOEXEC,
			       .mode = mode,
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};

	return (int)syscall(SYS_openat2, folder, name, &how, sizeof(how));
}

int files_open(int folder, const char *name, unsigned flags)
{
	return open_new(folder, name, flags, 0);
}

/* libc's would be another call where there are no flags. */
int files_rename(int folder, const char *from, const char *to, unsigned flags)
{
	return (int)syscall(SYS_renameat2, folder, from, folder, to, flags);
}

int files_create(int folder, const char *name)
{
	return open_new(folder, name, O_RDWR | O_CREAT | O_EXCL, 0600);
}

/* The folder's entries, each to `fn`, by the kernel's call: a stream of libc's wants more of them.
 */
typedef void entry_fn(int folder, const char *name, unsigned char type, int depth);

static void for_each_entry(int folder, entry_fn *fn, int depth)
{
	_Alignas(struct dirent64) char buffer[4096];
	long n;

	while ((n = syscall(SYS_getdents64, folder, buffer, sizeof(buffer))) > 0)
		for (long at = 0; at < n;) {
			const struct dirent64 *entry = (const void *)(buffer + at);

			at += entry->d_reclen;
			if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
				fn(folder, entry->d_name, entry->d_type, depth);
		}
}

static void remove_tree(int folder, const char *name, unsigned char type, int depth)
{
	auto_fd fd = -1;

	if (type != DT_DIR) {
		(void)unlinkat(folder, name, 0);
		return;
	}
	if (depth < DEPTH_MAX)
		fd = files_open(folder, name, O_RDONLY | O_DIRECTORY);
	if (fd >= 0)
		for_each_entry(fd, remove_tree, depth + 1);
	(void)unlinkat(folder, name, AT_REMOVEDIR);
}

static bool is_temporary(const char *name)
{
	size_t len = strlen(name), suffix = strlen(SUFFIX);

	return *name == '.' && len > suffix + 1 && strcmp(name + len - suffix, SUFFIX) == 0;
}

/* Who writes it has it locked; what nobody has is left over. */
static void remove_leftover(int parent, const char *name, unsigned char type, int depth)
{
	auto_fd fd = -1;

	(void)depth;
	if ((type != DT_DIR && type != DT_REG) || !is_temporary(name))
		return;
	fd = files_open(parent, name, O_RDONLY | O_NONBLOCK | (type == DT_DIR ? O_DIRECTORY : 0));
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		remove_tree(parent, name, type, 0);
}

void files_remove_tree(int folder, const char *name)
{
	remove_tree(folder, name, DT_DIR, 0);
}

void files_remove_leftovers(int parent)
{
	auto_fd fd = files_open(parent, ".", O_RDONLY | O_DIRECTORY);

	if (fd >= 0)
		for_each_entry(fd, remove_leftover, 0);
}

int files_name_temporary(char temporary[static NAME_MAX + 1], const char *name, struct verr *e)
{
	if (snprintf(temporary, NAME_MAX + 1, ".%s" SUFFIX, name) > NAME_MAX)
		return verr_invalid(e, "%s: too long for a name", name);
	return 0;
}

/* Whoever looks for leftovers may have taken it for one, before it was locked. */
static bool lock_work(struct snapshot_files *f)
{
	struct stat own, named;

	f->work = files_open(f->parent, f->temporary, O_RDONLY | O_DIRECTORY);
	if (f->work >= 0 && flock(f->work, LOCK_EX | LOCK_NB) == 0 && fstat(f->work, &own) == 0 &&
	    fstatat(f->parent, f->temporary, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	    own.st_dev == named.st_dev && own.st_ino == named.st_ino)
		return true;
	fd_close(&f->work);
	return false;
}

static int make_work(struct snapshot_files *f, const char *path, struct verr *e)
{
	struct stat st;

	if (fstatat(f->parent, f->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return verr_invalid(e, "%s: there is something of this name", path);
	files_remove_leftovers(f->parent);
	for (int i = 0; i < TRIES; i++) {
		if (mkdirat(f->parent, f->temporary, 0700) < 0 && errno != EEXIST)
			return verr_invalid_os(e, "make a folder beside %s", path);
		f->made = lock_work(f);
		if (f->made)
			return 0;
	}
	return verr_state(e, "%s: somebody else is making it", path);
}

int files_begin(struct snapshot_files *f, const struct sandbox *sandbox, const char *path,
		struct verr *e)
{
	const char *name;

	f->parent = sandbox_open_snapshots(sandbox, path, &name, e);
	if (f->parent < 0 || files_name_temporary(f->temporary, name, e) < 0)
		return -1;
	(void)snprintf(f->name, sizeof(f->name), "%s", name);
	return make_work(f, path, e);
}

static int make_disks(struct snapshot_files *f, struct verr *e)
{
	if (f->disks >= 0)
		return 0;
	if (f->apart)
		return apart_make_disks(f, e);
	if (mkdirat(f->work, SNAPSHOT_DISKS_FOLDER, 0700) < 0)
		return verr_os(e, "make the folder of disks");
	f->disks = files_open(f->work, SNAPSHOT_DISKS_FOLDER, O_RDONLY | O_DIRECTORY);
	return f->disks < 0 ? verr_os(e, "open the folder of disks") : 0;
}

int files_make(struct snapshot_files *f, const char *name, bool disk, struct verr *e)
{
	int fd;

	if (disk && make_disks(f, e) < 0)
		return -1;
	if (f->apart && !disk)
		return apart_make(f, name, e);
	fd = files_create(disk ? f->disks : f->work, name);
	return fd < 0 ? verr_os(e, "make %s", name) : fd;
}

int files_sync(int fd, const char *name, struct verr *e)
{
	return fsync(fd) < 0 ? verr_os(e, "make %s durable", name) : 0;
}

int files_name(struct snapshot_files *f, struct verr *e)
{
	if (f->apart)
		return apart_name(f, e);
	if ((f->disks >= 0 && fsync(f->disks) < 0) || fsync(f->work) < 0)
		return verr_os(e, "make the snapshot's folder durable");
	/* Not every file system can refuse to replace; none replaces a folder with files in it. */
	if (files_rename(f->parent, f->temporary, f->name, RENAME_NOREPLACE) < 0 &&
	    (errno != EINVAL || files_rename(f->parent, f->temporary, f->name, 0) < 0))
		return errno == EEXIST
			       ? verr_invalid(e, "%s: there is something of this name", f->name)
			       : verr_os(e, "name the snapshot %s", f->name);
	f->made = false;
	return fsync(f->parent) < 0 ? verr_os(e, "make the snapshot's name durable") : 0;
}

void files_end(struct snapshot_files *f)
{
	if (f->made)
		remove_tree(f->parent, f->temporary, DT_DIR, 0);
	f->made = false;
	if (f->apart)
		apart_end(f);
	fd_close(&f->disks);
	fd_close(&f->work);
	fd_close(&f->parent);
}
