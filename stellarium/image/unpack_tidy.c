/* SPDX-License-Identifier: Apache-2.0 */
/* Removing folders of files that nobody uses (unpack.h). */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "stellarium/image/unpack.h"
#include "stellarium/store/file.h"

static DIR *open_entries(int folder)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

	if (dir == NULL)
		fd_close(&fd);
	return dir;
}

static bool is_self(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static void remove_file(int folder, const char *name, uint64_t *freed)
{
	struct stat st;
	bool known = fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0;

	if (unlinkat(folder, name, 0) == 0 && known && st.st_nlink == 1 && freed != NULL)
		*freed += (uint64_t)st.st_blocks * 512;
}

/* Files, and folders with files. */
static void clear(int folder, const char *spared, bool deeper, uint64_t *freed)
{
	DIR *dir = open_entries(folder);
	struct dirent *entry;

	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL) {
		const char *name = entry->d_name;
		auto_fd below = -1;

		if (is_self(name) || (spared != NULL && strcmp(name, spared) == 0))
			continue;
		if (deeper)
			below = openat(folder, name,
				       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (below >= 0) {
			clear(below, NULL, false, freed);
			(void)unlinkat(folder, name, AT_REMOVEDIR);
		} else {
			remove_file(folder, name, freed);
		}
	}
	(void)closedir(dir);
}

void unpack_clear(int folder, uint64_t *freed)
{
	clear(folder, UNPACK_LEASE, true, freed);
}

/* The lease is the last to go: a folder without one is empty. */
void unpack_remove(int room, const char *name, uint64_t *freed)
{
	auto_fd folder = openat(room, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (folder >= 0) {
		unpack_clear(folder, freed);
		(void)unlinkat(folder, UNPACK_LEASE, 0);
	}
	(void)unlinkat(room, name, AT_REMOVEDIR);
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), n = strlen(end);

	return len >= n && strcmp(text + len - n, end) == 0;
}

/* It loses its name first: who waits for its lease sees that. */
static void remove_leased(int room, const char *name, int lease, uint64_t *freed)
{
	struct verr none = VERR_INIT;
	char old[UNPACK_NAME];
	uint64_t number;

	if (!unpack_is_named(room, name, lease))
		return;
	if (ends_with(name, ".old")) {
		unpack_remove(room, name, freed);
		return;
	}
	if (file_random(&number, &none) < 0)
		return;
	(void)snprintf(old, sizeof(old), "%016llx.old", (unsigned long long)number);
	if (renameat(room, name, room, old) == 0)
		unpack_remove(room, old, freed);
}

static void tidy_one(int room, const char *name, uint64_t *freed)
{
	char path[UNPACK_NAME + 32];
	auto_fd lease = -1;

	if ((size_t)snprintf(path, sizeof(path), "%s/" UNPACK_LEASE, name) >= sizeof(path))
		return;
	lease = openat(room, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	/* Without one it has only just been made, and its maker tries again, or is almost gone. */
	if (lease < 0 && errno == ENOENT)
		(void)unlinkat(room, name, AT_REMOVEDIR);
	else if (lease >= 0 && flock(lease, LOCK_EX | LOCK_NB) == 0)
		remove_leased(room, name, lease, freed);
}

void unpack_tidy(int room, bool all, uint64_t *freed)
{
	struct verr none = VERR_INIT;
	char boot[UNPACK_BOOT + 1];
	DIR *dir = open_entries(room);
	struct dirent *entry;

	if (dir == NULL)
		return;
	if (unpack_boot(boot, &none) < 0)
		*boot = '\0'; /* all keys begin so */
	while ((entry = readdir(dir)) != NULL)
		if (!is_self(entry->d_name) &&
		    (all || strncmp(entry->d_name, boot, strlen(boot)) != 0 ||
		     ends_with(entry->d_name, ".new")))
			tidy_one(room, entry->d_name, freed);
	(void)closedir(dir);
}
