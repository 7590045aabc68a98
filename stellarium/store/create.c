/* SPDX-License-Identifier: Apache-2.0 */
/* Making a store. The file `format` comes last: without it, there is none. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "stellarium/store/cas.h"
#include "stellarium/store/create.h"
#include "stellarium/store/file.h"
#include "stellarium/store/options.h"

static bool is_ours(const char *name)
{
	static const char *const ours[] = {".",       "..",         "packs",   "leases",     "gc",
					   CAS_INDEX, "format.new", CAS_NAMES, CAS_NAMES_NEW};

	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		if (strcmp(name, ours[i]) == 0)
			return true;
	return false;
}

static int check_empty(int dir, struct verr *e)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *entries = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	if (entries == NULL) {
		(void)verr_os(e, "open");
		fd_close(&fd);
		return -1;
	}
	while (r == 0 && (entry = readdir(entries)) != NULL) {
		if (strcmp(entry->d_name, "format") == 0)
			r = verr_invalid(e, "it is a store already");
		else if (!is_ours(entry->d_name))
			r = verr_invalid(e, "it has other files in it: %s", entry->d_name);
	}
	(void)closedir(entries);
	return r;
}

static int sync_folder(int dir, const char *name, struct verr *e)
{
	auto_fd fd = file_open_folder(dir, name, e);

	return fd < 0 ? -1 : file_sync(fd, name, e);
}

static int make_folder(int dir, const char *name, struct verr *e)
{
	if (mkdirat(dir, name, 0777) < 0 && errno != EEXIST)
		return verr_os(e, "make %s", name);
	return sync_folder(dir, name, e);
}

/* What an interrupted call left of an index may be anything. */
static int make_index(int dir, const char *path, struct verr *e)
{
	auto_free char *folder = NULL;
	struct index *x;

	if ((unlinkat(dir, CAS_INDEX "/data.mdb", 0) < 0 && errno != ENOENT) ||
	    (unlinkat(dir, CAS_INDEX "/lock.mdb", 0) < 0 && errno != ENOENT))
		return verr_os(e, "remove what is left of an index");
	if (asprintf(&folder, "%s/%s", path, CAS_INDEX) < 0) {
		folder = NULL;
		return verr_host(e, "out of memory");
	}
	if (index_open(&x, folder, true, e) < 0)
		return -1;
	(void)index_close(x);
	return sync_folder(dir, CAS_INDEX, e);
}

static int make_parts(int dir, const char *path, const struct stel_options *o,
		      create_names_fn *make_names, struct verr *e)
{
	uint8_t bytes[OPTIONS_FILE];
	struct seal_store store;
	uint64_t random[2];

	if (file_random(&random[0], e) < 0 || file_random(&random[1], e) < 0)
		return -1;
	memcpy(store.bytes, random, sizeof(store.bytes));
	if (make_folder(dir, "packs", e) < 0 || make_folder(dir, "leases", e) < 0 ||
	    make_folder(dir, CAS_INDEX, e) < 0 || make_index(dir, path, e) < 0 ||
	    make_names(dir, &store, e) < 0)
		return -1;
	return file_replace(dir, "format", bytes, options_put(bytes, &store, o), e);
}

/* The folder's own name must be durable, too. */
static int sync_parent(const char *path, struct verr *e)
{
	auto_free char *parent = NULL;
	auto_fd fd = -1;

	if (asprintf(&parent, "%s/..", path) < 0) {
		parent = NULL;
		return verr_host(e, "out of memory");
	}
	fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? 0 : file_sync(fd, parent, e);
}

int create_store(const char *path, const struct stel_options *o, create_names_fn *make_names,
		 struct verr *e)
{
	auto_fd dir = -1;

	if (options_check(o, e) < 0)
		return -1;
	if (mkdir(path, 0777) < 0 && errno != EEXIST)
		return verr_invalid_os(e, "make %s", path);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return verr_invalid_os(e, "open %s", path);
	if (check_empty(dir, e) < 0 || make_parts(dir, path, o, make_names, e) < 0 ||
	    sync_parent(path, e) < 0)
		return verr_note(e, "%s", path);
	return 0;
}
