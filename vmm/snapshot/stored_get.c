/* SPDX-License-Identifier: Apache-2.0 */
/* A stored snapshot as a folder: one that is shared, or a new one. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "vmm/snapshot/files.h"
#include "vmm/snapshot/stamp.h"
#include "vmm/snapshot/stored.h"
#include "vmm/state/file.h"

static int read_id(int fd, uint8_t id[static SNAPSHOT_ID], struct verr *e)
{
	auto_free struct snapshot_state *snapshot = calloc(1, sizeof(*snapshot));
	struct state_reader *state = NULL;
	int r = -1;

	if (snapshot == NULL)
		return verr_host(e, "out of memory");
	if (state_reader_load(fd, &state, e) == 0 &&
	    state_get(state, STATE_KIND_SNAPSHOT, 0, snapshot, e) == 0) {
		memcpy(id, snapshot->id, SNAPSHOT_ID);
		r = 0;
	}
	(void)state_reader_free(state);
	return r;
}

/* What a file is called in a stamp; NULL: it is in none. */
static const char *name_in_stamp(const char *path)
{
	if (strncmp(path, SNAPSHOT_DISKS_FOLDER "/", strlen(SNAPSHOT_DISKS_FOLDER "/")) == 0)
		return path + strlen(SNAPSHOT_DISKS_FOLDER "/");
	return strcmp(path, SNAPSHOT_MEMORY_FILE) == 0 ? path : NULL;
}

static int add_to_stamp(struct stamp *stamp, int fd, const char *path, struct verr *e)
{
	const char *name = name_in_stamp(path);
	struct stamp_file file;

	if (strcmp(path, SNAPSHOT_STATE_FILE) == 0)
		return read_id(fd, stamp->id, e);
	if (name != NULL && stamp_of(fd, name, &file))
		stamp_add(stamp, &file);
	return 0;
}

/* -- shared */

/* The store has verified what it has written: nobody need read it once more. */
static int write_stamp(void *ctx, int folder, struct verr *e)
{
	const struct stored_parts *parts = ctx;
	auto_free struct stamp *stamp = calloc(1, sizeof(*stamp));
	auto_fd fd = -1;

	if (stamp == NULL)
		return verr_host(e, "out of memory");
	for (size_t i = 0; i < parts->count; i++) {
		const char *path = parts->files[i].path;
		auto_fd file = openat(folder, path, O_RDONLY | O_CLOEXEC);

		if (file < 0)
			return verr_os(e, "open %s", path);
		if (add_to_stamp(stamp, file, path, e) < 0)
			return verr_note(e, "%s", path);
	}
	fd = openat(folder, SNAPSHOT_STAMP_FILE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	if (fd < 0)
		return verr_os(e, "make " SNAPSHOT_STAMP_FILE);
	return stamp_write(stamp, fd, e);
}

int stored_get(const char *store, const char *name, char path[static PATH_MAX], int *lease,
	       struct verr *e)
{
	auto_free struct stored_parts *parts = malloc(sizeof(*parts));
	struct stel *s = NULL;
	int r;

	if (parts == NULL)
		return verr_host(e, "out of memory");
	if (stel_open(&s, store, e) < 0)
		return -1;
	r = stored_find(s, name, parts, e) < 0 ||
			    stel_unpack(s, parts->files, parts->count, write_stamp, parts, path,
					lease, e) < 0
		    ? -1
		    : 0;
	(void)stel_close(s);
	return r;
}

/* -- a new one */

static int export_one(struct stel *s, const struct stel_file *part, struct snapshot_files *files,
		      struct stamp *stamp, const struct stel_watch *watch, struct verr *e)
{
	const char *slash = strchr(part->path, '/');
	struct stel_image *image = NULL;
	auto_fd fd = -1;
	int r;

	if (slash != NULL && name_in_stamp(part->path) == NULL)
		return verr_corrupt(e, "%s is no part of a snapshot", part->image);
	fd = files_make(files, slash != NULL ? slash + 1 : part->path, slash != NULL, e);
	if (fd < 0 || stel_image_open(s, part->image, &image, e) < 0)
		return -1;
	r = stel_export(image, fd, watch, e);
	(void)stel_image_close(image);
	if (r < 0)
		return verr_note(e, "image %s", part->image);
	return files_sync(fd, part->path, e) < 0 ? -1 : add_to_stamp(stamp, fd, part->path, e);
}

static int export_all(struct stel *s, const struct stored_parts *parts,
		      struct snapshot_files *files, const struct stel_watch *watch, struct verr *e)
{
	auto_free struct stamp *stamp = calloc(1, sizeof(*stamp));
	auto_fd fd = -1;

	if (stamp == NULL)
		return verr_host(e, "out of memory");
	for (size_t i = 0; i < parts->count; i++)
		if (export_one(s, &parts->files[i], files, stamp, watch, e) < 0)
			return -1;
	fd = files_make(files, SNAPSHOT_STAMP_FILE, false, e);
	return fd < 0 || stamp_write(stamp, fd, e) < 0 || files_sync(fd, SNAPSHOT_STAMP_FILE, e) < 0
		       ? -1
		       : files_name(files, e);
}

int stored_export(struct stel *s, const char *name, const char *path,
		  const struct stel_watch *watch, struct verr *e)
{
	auto_free struct stored_parts *parts = malloc(sizeof(*parts));
	struct snapshot_files files = SNAPSHOT_FILES_INIT;
	int r = -1;

	if (parts == NULL)
		return verr_host(e, "out of memory");
	if (stored_find(s, name, parts, e) == 0 && files_begin(&files, NULL, path, e) == 0)
		r = export_all(s, parts, &files, watch, e);
	files_end(&files);
	return r;
}
