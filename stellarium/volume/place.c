/* SPDX-License-Identifier: Apache-2.0 */
#include "stellarium/volume/place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "stellarium/chunk/hash.h"
#include "stellarium/image/names.h"
#include "stellarium/store/file.h"

#define OVERLAY_NAME "overlay"

static char *without_slashes(const char *path)
{
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	return strndup(path, len);
}

char *place_last_part(const char *path)
{
	auto_free char *copy = without_slashes(path);
	const char *slash = copy != NULL ? strrchr(copy, '/') : NULL;

	if (copy == NULL)
		return NULL;
	return strdup(slash != NULL ? slash + 1 : copy);
}

/* The folder that something at `path` is in; the caller frees it. */
static char *parent_of(const char *path)
{
	char *copy = without_slashes(path), *slash = copy != NULL ? strrchr(copy, '/') : NULL;

	if (copy == NULL)
		return NULL;
	if (slash == NULL) {
		free(copy);
		return strdup(".");
	}
	slash[slash == copy] = '\0';
	return copy;
}

static int open_folder(const char *path, struct verr *e)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? verr_invalid_os(e, "open %s", path) : fd;
}

static int open_parent(const char *path, struct verr *e)
{
	char *parent = parent_of(path);
	int fd = parent == NULL ? verr_host(e, "out of memory") : open_folder(parent, e);

	free(parent);
	return fd;
}

static int make_folder(const char *path, bool *made, struct verr *e)
{
	auto_fd fd = -1;

	if (mkdir(path, 0777) < 0)
		return errno == EEXIST ? 0 : verr_invalid_os(e, "make %s", path);
	*made = true;
	fd = open_parent(path, e);
	return fd < 0 ? -1 : file_sync(fd, path, e);
}

static int open_file_place(struct place *p, const char *path, struct verr *e)
{
	p->name = place_last_part(path);
	if (p->name == NULL)
		return verr_host(e, "out of memory");
	p->folder = open_parent(path, e);
	return p->folder < 0 ? -1 : 0;
}

int place_open(struct place *p, const char *path, bool is_file, bool create, struct verr *e)
{
	struct stat st;

	*p = (struct place)PLACE_INIT;
	p->is_file = is_file || (stat(path, &st) == 0 && !S_ISDIR(st.st_mode));
	if (p->is_file)
		return open_file_place(p, path, e);
	if (create && make_folder(path, &p->made, e) < 0)
		return -1;
	p->name = strdup(OVERLAY_NAME);
	if (p->name == NULL)
		return verr_host(e, "out of memory");
	p->folder = open_folder(path, e);
	return p->folder < 0 ? -1 : 0;
}

int place_check_empty(const struct place *p, struct verr *e)
{
	int fd = openat(p->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	if (dir == NULL) {
		(void)verr_os(e, "open it");
		fd_close(&fd);
		return -1;
	}
	while (r == 0 && (entry = readdir(dir)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    strncmp(entry->d_name, OVERLAY_NAME, strlen(OVERLAY_NAME)) != 0)
			r = verr_invalid(e, "it has other files in it: %s", entry->d_name);
	(void)closedir(dir);
	return r;
}

void place_close(struct place *p)
{
	fd_close(&p->folder);
	free(p->name);
	*p = (struct place)PLACE_INIT;
}

int reference_new(char out[OVERLAY_REFERENCE], struct verr *e)
{
	uint64_t number;

	if (file_random(&number, e) < 0)
		return -1;
	(void)snprintf(out, OVERLAY_REFERENCE, STEL_VOLUME_PREFIX "%016llx",
		       (unsigned long long)number);
	return 0;
}

/* A head that was tampered with must not name an image of the user's. */
static bool is_reference(const char *name)
{
	return strncmp(name, STEL_VOLUME_PREFIX, strlen(STEL_VOLUME_PREFIX)) == 0;
}

/* Does the name lead to the image? 1, 0, or -1 with a fault. */
static int is_kept(struct stel *s, const struct overlay_head *head, struct verr *e)
{
	const struct names_entry *entry;
	struct names names;
	int r;

	if (names_read(&names, s->dir, &s->store, e) < 0)
		return -1;
	entry = names_find(&names, head->reference);
	r = entry != NULL && chunk_same(&entry->id, &head->image);
	names_deinit(&names);
	return r;
}

int reference_keep(struct stel *s, const struct overlay_head *head, bool *added, struct verr *e)
{
	struct names_change change = NAMES_CHANGE_INIT;
	int r = is_reference(head->reference) ? is_kept(s, head, e) : 1;

	*added = r == 0;
	if (r != 0)
		return r < 0 ? -1 : 0;
	r = -1;
	if (names_begin(&change, s->dir, &s->store, e) == 0 &&
	    names_set(&change, head->reference, &head->image, head->size, e) == 0)
		r = names_commit(&change, e);
	names_change_deinit(&change);
	return r;
}

int reference_drop(struct stel *s, const struct overlay_head *head, struct verr *e)
{
	struct names_change change = NAMES_CHANGE_INIT;
	int r = is_reference(head->reference) ? is_kept(s, head, e) : 0;

	if (r <= 0)
		return r;
	r = -1;
	if (names_begin(&change, s->dir, &s->store, e) == 0 &&
	    names_unset(&change, head->reference, e) == 0)
		r = names_commit(&change, e);
	names_change_deinit(&change);
	return r;
}
