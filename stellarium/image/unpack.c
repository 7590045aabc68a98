/* SPDX-License-Identifier: Apache-2.0 */
/* Finding and writing folders of files: unpack.h says how all get along. */
#include "stellarium/image/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "stellarium/chunk/hash.h"
#include "stellarium/image/names.h"
#include "stellarium/store/file.h"

#define ROOM "unpacked"
#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define TRIES 100 /* others remove what they take for unused meanwhile */

/* Nobody writes to them again; others who may read the store may read them. */
#define FILE_MODE 0444

struct unpack {
	struct stel *s;
	const struct stel_file *files;
	size_t count;
	stel_files_fn *finish;
	void *ctx;
	struct stel_id ids[STEL_FILES_MAX];
	int room;
	char key[UNPACK_NAME], making[UNPACK_NAME + 8];
};

int unpack_room(const struct stel *s)
{
	return openat(s->dir, ROOM, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int open_room(struct unpack *u, struct verr *e)
{
	if (mkdirat(u->s->dir, ROOM, 0777) < 0 && errno != EEXIST)
		return verr_os(e, "make %s/" ROOM, u->s->path);
	u->room = unpack_room(u->s);
	return u->room < 0 ? verr_os(e, "open %s/" ROOM, u->s->path) : 0;
}

int unpack_boot(char out[static UNPACK_BOOT + 1], struct verr *e)
{
	auto_fd fd = open(BOOT_ID, O_RDONLY | O_CLOEXEC);
	char text[64];
	ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text));

	if (len <= 0)
		return verr_os(e, "read " BOOT_ID);
	(void)snprintf(out, UNPACK_BOOT + 1, "%016llx",
		       (unsigned long long)chunk_checksum(text, (size_t)len));
	return 0;
}

/* -- which folder */

static int check_path(const char *path, struct verr *e)
{
	const char *slash = strchr(path, '/');

	if (stel_check_name(path, e) < 0)
		return -1;
	if (strcmp(path, UNPACK_LEASE) == 0 ||
	    (slash != NULL && (slash[1] == '.' || slash[1] == '\0' || strchr(slash + 1, '/'))))
		return verr_invalid(e, "%s: no file may be called so", path);
	return 0;
}

static int find_ids(struct unpack *u, struct verr *e)
{
	struct names names;
	int r = 0;

	if (names_read(&names, u->s->dir, &u->s->store, e) < 0)
		return -1;
	for (size_t i = 0; i < u->count && r == 0; i++) {
		const struct names_entry *entry = names_find(&names, u->files[i].image);

		if (entry == NULL)
			r = verr_not_found(e, "%s: there is no such image", u->files[i].image);
		else if (check_path(u->files[i].path, e) < 0)
			r = -1;
		else
			u->ids[i] = entry->id;
	}
	names_deinit(&names);
	return r;
}

static int make_key(struct unpack *u, struct verr *e)
{
	char boot[UNPACK_BOOT + 1], id[STEL_ID_TEXT];
	auto_free char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	struct stel_id all;

	if (out == NULL)
		return verr_host(e, "out of memory");
	for (size_t i = 0; i < u->count; i++) {
		stel_id_text(&u->ids[i], id);
		fprintf(out, "%s %s\n", id, u->files[i].path);
	}
	if (fclose(out) != 0)
		return verr_host(e, "out of memory");
	if (unpack_boot(boot, e) < 0)
		return -1;
	all = chunk_hash(text, len);
	stel_id_text(&all, id);
	(void)snprintf(u->key, sizeof(u->key), "%s-%.32s", boot, id);
	(void)snprintf(u->making, sizeof(u->making), "%s.new", u->key);
	return 0;
}

/* -- leases */

bool unpack_is_named(int room, const char *name, int lease)
{
	char path[UNPACK_NAME + 32];
	struct stat own, named;

	(void)snprintf(path, sizeof(path), "%s/" UNPACK_LEASE, name);
	return fstat(lease, &own) == 0 && fstatat(room, path, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       own.st_dev == named.st_dev && own.st_ino == named.st_ino;
}

/* 1: it is leased; 0: it is not there, or not any more, or somebody had it until now. */
static int take_lease(const struct unpack *u, const char *name, bool to_write, int *lease,
		      struct verr *e)
{
	int flags = (to_write ? O_RDWR | O_CREAT : O_RDONLY) | O_NOFOLLOW | O_CLOEXEC;
	char path[UNPACK_NAME + 32];
	auto_fd fd = -1;

	(void)snprintf(path, sizeof(path), "%s/" UNPACK_LEASE, name);
	fd = openat(u->room, path, flags, 0666);
	if (fd < 0)
		return errno == ENOENT ? 0 : verr_os(e, "open " ROOM "/%s", path);
	switch (file_lock(fd, ROOM, to_write ? LOCK_EX | LOCK_NB : LOCK_SH, e)) {
	case FILE_FAULT:
		return -1;
	case FILE_BUSY:
		/* Who writes it uses it then, shared: to wait for all of it could be for ever. */
		return file_lock(fd, ROOM, LOCK_SH, e) == FILE_FAULT ? -1 : 0;
	case FILE_LOCKED:
		break;
	}
	if (!unpack_is_named(u->room, name, fd))
		return 0;
	*lease = fd_take(&fd);
	return 1;
}

/* -- writing */

static int open_file(int folder, const char *path, struct verr *e)
{
	const char *slash = strchr(path, '/');
	char parent[STEL_NAME_MAX + 1];
	int fd;

	if (slash != NULL) {
		(void)snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
		if (mkdirat(folder, parent, 0777) < 0 && errno != EEXIST)
			return verr_os(e, "make %s", parent);
	}
	fd = openat(folder, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
	return fd < 0 ? verr_os(e, "make %s", path) : fd;
}

static int write_file(const struct unpack *u, size_t i, int folder, struct verr *e)
{
	const struct stel_file *file = &u->files[i];
	auto_fd fd = open_file(folder, file->path, e);
	struct stel_image *image = NULL;
	int r = -1;

	if (fd < 0 || stel_image_open(u->s, file->image, &image, e) < 0)
		return -1;
	if (!chunk_same(&image->id, &u->ids[i]))
		(void)verr_state(e, "it has become another one");
	else
		r = stel_export(image, fd, NULL, e);
	(void)stel_image_close(image);
	return r < 0 ? verr_note(e, "image %s", file->image) : 0;
}

static int write_files(const struct unpack *u, struct verr *e)
{
	auto_fd folder = file_open_folder(u->room, u->making, e);

	if (folder < 0)
		return -1;
	unpack_clear(folder, NULL); /* of one who was killed */
	for (size_t i = 0; i < u->count; i++)
		if (write_file(u, i, folder, e) < 0)
			return -1;
	return u->finish != NULL ? u->finish(u->ctx, folder, e) : 0;
}

/* With the lease of what is being made. Two who come at once make one, as the second waits. */
static int make_leased(const struct unpack *u, struct verr *e)
{
	if (faccessat(u->room, u->key, F_OK, 0) == 0) {
		unpack_remove(u->room, u->making, NULL);
		return 0;
	}
	if (write_files(u, e) < 0) {
		unpack_remove(u->room, u->making, NULL);
		return -1;
	}
	return renameat(u->room, u->making, u->room, u->key) < 0 ? verr_os(e, "name it") : 0;
}

static int make(const struct unpack *u, struct verr *e)
{
	auto_fd lease = -1;
	int r;

	unpack_tidy(u->room, false, NULL);
	if (mkdirat(u->room, u->making, 0777) < 0 && errno != EEXIST)
		return verr_os(e, "make " ROOM "/%s", u->making);
	r = take_lease(u, u->making, true, &lease, e);
	return r > 0 ? make_leased(u, e) : r;
}

static int run(struct unpack *u, int *lease, struct verr *e)
{
	if (find_ids(u, e) < 0 || make_key(u, e) < 0 || open_room(u, e) < 0)
		return -1;
	for (int i = 0; i < TRIES; i++) {
		int r = take_lease(u, u->key, false, lease, e);

		if (r != 0)
			return r < 0 ? -1 : 0;
		if (make(u, e) < 0)
			return -1;
	}
	return verr_state(e, "somebody removes " ROOM "/%s as fast as it is made", u->key);
}

int stel_unpack(struct stel *s, const struct stel_file *files, size_t count, stel_files_fn *finish,
		void *ctx, char path[static PATH_MAX], int *lease, struct verr *e)
{
	struct unpack u = {
		.s = s, .files = files, .count = count, .finish = finish, .ctx = ctx, .room = -1};
	int r;

	if (count > STEL_FILES_MAX)
		return verr_invalid(e, "more than %d files", STEL_FILES_MAX);
	r = run(&u, lease, e);
	fd_close(&u.room);
	if (r == 0 && snprintf(path, PATH_MAX, "%s/" ROOM "/%s", s->path, u.key) >= PATH_MAX) {
		fd_close(lease);
		return verr_invalid(e, "a path is longer than %d", PATH_MAX);
	}
	return r;
}
