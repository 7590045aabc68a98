/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/stage.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "cli/outfile.h"

#define PREFIX ".new."
#define LOCK ".lock"
#define FOLDER_MODE 0755

static void own_closedir(DIR **dir)
{
	if (*dir != NULL)
		(void)closedir(*dir);
}

#define auto_dir __attribute__((cleanup(own_closedir))) DIR

/* An own view of a folder: reading it leaves `fd` alone. */
static DIR *list_folder(int fd)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;

	if (dir == NULL)
		fd_close(&copy);
	return dir;
}

/* Remove a folder of plain files, as far as it can be. */
static void remove_folder(const struct store *s, const char *name)
{
	auto_fd fd = openat(s->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_dir *dir = fd >= 0 ? list_folder(fd) : NULL;
	const struct dirent *entry;

	while (dir != NULL && (entry = readdir(dir)) != NULL)
		(void)unlinkat(fd, entry->d_name, 0);
	(void)unlinkat(s->fd, name, AT_REMOVEDIR);
}

/* A folder that nobody has locked was left by a process that is gone. */
static void sweep(const struct store *s)
{
	auto_dir *dir = list_folder(s->fd);
	const struct dirent *entry;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		auto_fd fd = -1;

		if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) != 0)
			continue;
		fd = openat(s->fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
			remove_folder(s, entry->d_name);
	}
}

static int make_folder(struct stage *st, struct verr *e)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/" PREFIX "XXXXXX", st->store->path);
	if (mkdtemp(path) == NULL)
		return verr_os(e, "make a folder in %s", st->store->path);
	(void)snprintf(st->folder, sizeof(st->folder), "%s", strrchr(path, '/') + 1);
	st->fd = openat(st->store->fd, st->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (st->fd < 0 || flock(st->fd, LOCK_EX | LOCK_NB) < 0 || fchmod(st->fd, FOLDER_MODE) < 0)
		return verr_os(e, "lock a folder in %s", st->store->path);
	return 0;
}

int stage_open(struct stage *st, const struct store *store, struct verr *e)
{
	/* Held for the moment in which a new folder is not locked yet. */
	auto_fd lock = openat(store->fd, LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0666);

	*st = (struct stage)STAGE_INIT;
	st->store = store;
	if (lock < 0)
		return verr_os(e, "write to %s", store->path);
	while (flock(lock, LOCK_EX) < 0)
		if (errno != EINTR)
			return verr_os(e, "lock %s", store->path);
	sweep(store);
	return make_folder(st, e);
}

void stage_deinit(struct stage *st)
{
	if (st->folder[0] != '\0')
		remove_folder(st->store, st->folder);
	st->folder[0] = '\0';
	fd_close(&st->fd);
}

int stage_create(struct stage *st, const char *file, struct verr *e)
{
	int fd = openat(st->fd, file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0)
		return verr_os(e, "write %s in %s", file, st->store->path);
	return fd;
}

int stage_put(struct stage *st, const char *file, const void *bytes, size_t len, struct verr *e)
{
	auto_fd fd = stage_create(st, file, e);

	return fd < 0 ? -1 : outfile_write(fd, file, bytes, len, e);
}

/* All of it is on the disk before it has a name. */
static int sync_files(struct stage *st, struct verr *e)
{
	auto_dir *dir = list_folder(st->fd);
	const struct dirent *entry;

	if (dir == NULL)
		return verr_os(e, "read %s/%s", st->store->path, st->folder);
	while ((entry = readdir(dir)) != NULL) {
		auto_fd fd = -1;

		if (entry->d_name[0] == '.')
			continue;
		fd = openat(st->fd, entry->d_name, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || fsync(fd) < 0)
			return verr_os(e, "write %s in %s", entry->d_name, st->store->path);
	}
	return fsync(st->fd) < 0 ? verr_os(e, "write to %s", st->store->path) : 0;
}

/* For file systems that cannot exchange folders: each file in one step instead of all at once. */
static int replace_files(struct stage *st, const char *name, struct verr *e)
{
	auto_fd to = openat(st->store->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_dir *dir = list_folder(st->fd);
	const struct dirent *entry;

	if (to < 0 || dir == NULL)
		return verr_os(e, "open %s/%s", st->store->path, name);
	/* An initrd of the kernel that was there would be taken for this one's. */
	(void)unlinkat(to, STORE_INITRD, 0);
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.' &&
		    renameat(st->fd, entry->d_name, to, entry->d_name) < 0)
			return verr_os(e, "write %s/%s/%s", st->store->path, name, entry->d_name);
	return 0;
}

/* After this what is under st->folder, if anything, is to be removed. */
static int give_name(struct stage *st, const char *name, struct verr *e)
{
	int store = st->store->fd;

	if (renameat(store, st->folder, store, name) == 0) {
		st->folder[0] = '\0';
		return 0;
	}
	if (errno != EEXIST && errno != ENOTEMPTY)
		return verr_os(e, "write %s/%s", st->store->path, name);
	if (renameat2(store, st->folder, store, name, RENAME_EXCHANGE) == 0)
		return 0;
	return replace_files(st, name, e);
}

int stage_commit(struct stage *st, const char *name, struct verr *e)
{
	if (sync_files(st, e) < 0 || give_name(st, name, e) < 0)
		return -1;
	(void)fsync(st->store->fd);
	return 0;
}
