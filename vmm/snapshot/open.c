/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/snapshot/open.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "vmm/snapshot/files.h"
#include "vmm/snapshot/hash.h"
#include "vmm/snapshot/path.h"

/* --- one --- */

static struct opened *opened_free(struct opened *o)
{
	if (o == NULL)
		return NULL;
	fd_close(&o->memory_fd);
	o->state = state_reader_free(o->state);
	free(o->snapshot);
	free(o->memory);
	free(o->runs);
	free(o);
	return NULL;
}

/* A folder has its files under their own names; a state file has them beside it. */
static int find_state(struct opened *o, const char *path, char state[static PATH_MAX],
		      struct verr *e)
{
	struct stat st;
	char *slash;

	if (strlen(path) + sizeof("/" SNAPSHOT_STAMP_FILE) > PATH_MAX)
		return verr_invalid(e, "a path is longer than %d", PATH_MAX);
	(void)snprintf(o->path, sizeof(o->path), "%s", path);
	if (stat(path, &st) < 0)
		return verr_invalid_os(e, "%s", path);
	(void)snprintf(o->folder, sizeof(o->folder), "%s", path);
	o->is_folder = S_ISDIR(st.st_mode);
	if (o->is_folder) {
		(void)snprintf(state, PATH_MAX, "%s/" SNAPSHOT_STATE_FILE, path);
		(void)snprintf(o->stamp_path, PATH_MAX, "%s/" SNAPSHOT_STAMP_FILE, path);
		return 0;
	}
	(void)snprintf(state, PATH_MAX, "%s", path);
	(void)snprintf(o->stamp_path, PATH_MAX, "%s." SNAPSHOT_STAMP_FILE, path);
	slash = strrchr(o->folder, '/');
	if (slash == NULL)
		(void)snprintf(o->folder, sizeof(o->folder), ".");
	else
		slash[slash == o->folder ? 1 : 0] = '\0';
	return 0;
}

static int read_runs(struct opened *o, struct verr *e)
{
	struct bytes body;

	if (state_get_bytes(o->state, STATE_KIND_RUNS, 0, &body, e) < 0)
		return -1;
	if (body.len % 16 != 0 || body.len / 16 > MEM_RUNS_MAX)
		return verr_corrupt(e, "the list of pages has %zu bytes", body.len);
	o->runs_count = body.len / 16;
	o->runs = malloc(MAX(body.len, 1));
	if (o->runs == NULL)
		return verr_host(e, "out of memory");
	for (size_t i = 0; i < o->runs_count; i++)
		o->runs[i] = (struct mem_run){.offset = le64(body.at + i * 16),
					      .len = le64(body.at + i * 16 + 8)};
	return 0;
}

static int read_state(struct opened *o, const char *path, struct verr *e)
{
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return verr_invalid_os(e, "cannot open %s", path);
	o->snapshot = calloc(1, sizeof(*o->snapshot));
	o->memory = calloc(1, sizeof(*o->memory));
	if (o->snapshot == NULL || o->memory == NULL)
		return verr_host(e, "out of memory");
	if (state_reader_load(fd, &o->state, e) < 0 ||
	    state_get(o->state, STATE_KIND_SNAPSHOT, 0, o->snapshot, e) < 0 ||
	    state_get(o->state, STATE_KIND_MEMORY, 0, o->memory, e) < 0 ||
	    (o->snapshot->diff && read_runs(o, e) < 0))
		return verr_note(e, "%s", path);
	return 0;
}

static int open_memory(struct opened *o, const char *memory, struct verr *e)
{
	char path[PATH_MAX];

	if (memory == NULL) {
		if (path_join(o->folder, o->memory->path, path, e) < 0)
			return -1;
		memory = path;
	}
	o->memory_fd = open(memory, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (o->memory_fd < 0)
		return verr_invalid_os(e, "cannot open %s", memory);
	return opened_verify_file(o, o->memory_fd, SNAPSHOT_MEMORY_FILE, memory, o->memory->size,
				  o->memory->hash, e);
}

static void read_stamp(struct opened *o)
{
	auto_fd fd = open(o->stamp_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	/* Others may not say for us what is verified. */
	if (fd >= 0 && (fstat(fd, &st) < 0 || (st.st_uid != 0 && st.st_uid != geteuid()) ||
			(st.st_mode & (S_IWGRP | S_IWOTH)) != 0))
		fd_close(&fd);
	stamp_read(&o->stamp, o->snapshot->id, fd);
	if (!stamp_is_own(&o->stamp, fd))
		o->stamp.count = 0;
	o->stamped = true;
}

int opened_verify(struct opened *o, int fd, const char *name, const char *what, uint64_t size,
		  const uint8_t *hash, struct verr *e)
{
	uint8_t found[SNAPSHOT_HASH];
	struct stamp_file now;
	bool regular = stamp_of(fd, name, &now);

	if (regular && now.size != size)
		return verr_corrupt(e, "%s has %llu bytes, and %llu when the snapshot was made",
				    what, (unsigned long long)now.size, (unsigned long long)size);
	if (regular && stamp_has(&o->stamp, &now))
		return 0;
	o->stamped = o->stamped && !regular;
	log_info(LOG_SNAPSHOT, "%s is read and verified", what);
	if (snapshot_hash(fd, size, NULL, found, e) < 0)
		return verr_note(e, "%s", what);
	if (memcmp(found, hash, sizeof(found)) != 0)
		return verr_corrupt(e,
				    "%s is not what it was when the snapshot was made: changed, "
				    "or damaged",
				    what);
	if (regular)
		stamp_set(&o->stamp, &now);
	return 0;
}

void opened_stamp(struct opened *o)
{
	if (!o->stamped)
		stamp_replace(&o->stamp, o->stamp_path);
	o->stamped = true;
}

static int open_one(struct opened **out, const char *path, const char *memory, struct verr *e)
{
	struct opened *o = calloc(1, sizeof(*o));
	char state[PATH_MAX];

	if (o == NULL)
		return verr_host(e, "out of memory");
	*out = o;
	o->memory_fd = -1;
	if (find_state(o, path, state, e) < 0 || read_state(o, state, e) < 0)
		return -1;
	read_stamp(o);
	return open_memory(o, memory, e);
}

/*
 * Is what was to take the place of its files still beside them? Each of those has one name or the
 * other (apart.c), the state the last of them.
 */
static bool is_half_replaced(const struct opened *o)
{
	const char *slash = strrchr(o->path, '/'), *name = slash != NULL ? slash + 1 : o->path;
	char temporary[NAME_MAX + 1], path[PATH_MAX];
	struct verr none = VERR_INIT;

	return !o->is_folder && files_name_temporary(temporary, name, &none) == 0 &&
	       path_join(o->folder, temporary, path, &none) == 0 && access(path, F_OK) == 0;
}

int opened_verify_file(struct opened *o, int fd, const char *name, const char *what, uint64_t size,
		       const uint8_t *hash, struct verr *e)
{
	struct verr fault = VERR_INIT;
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return verr_corrupt(e, "%s is no regular file", what);
	if (opened_verify(o, fd, name, what, size, hash, &fault) == 0)
		return 0;
	if (fault.kind == VERR_CORRUPT && is_half_replaced(o))
		return verr_corrupt(e,
				    "%s and %s are of two snapshots: one was taking the place of "
				    "the other when it was ended. Neither is whole: make a new "
				    "one, best with new names",
				    o->path, what);
	*e = fault;
	return -1;
}

/* --- and its bases --- */

static int open_base(const struct opened *o, struct opened **out, struct verr *e)
{
	char path[PATH_MAX];

	if (path_join(o->folder, o->snapshot->base_path, path, e) < 0)
		return -1;
	if (open_one(out, path, NULL, e) < 0)
		return verr_note(e, "%s: its base", o->path);
	if (o->snapshot->base_count != SNAPSHOT_ID ||
	    memcmp((*out)->snapshot->id, o->snapshot->base, SNAPSHOT_ID) != 0)
		return verr_corrupt(e, "%s: its base %s is another snapshot by now", o->path, path);
	if ((*out)->memory->size != o->memory->size)
		return verr_corrupt(e, "%s: its base %s has other memory", o->path, path);
	return 0;
}

int chain_open(struct opened_chain *c, const char *path, const char *memory, struct verr *e)
{
	if (open_one(&c->at[c->count++], path, memory, e) < 0)
		return -1;
	while (c->at[c->count - 1]->snapshot->diff) {
		if (c->count == MEM_LAYERS_MAX)
			return verr_invalid(e,
					    "%s: more than %d snapshots, each the base of the "
					    "next: volt snapshot merge makes one of them",
					    path, MEM_LAYERS_MAX);
		c->count++;
		if (open_base(c->at[c->count - 2], &c->at[c->count - 1], e) < 0)
			return -1;
	}
	for (size_t i = 1; i < c->count; i++)
		opened_stamp(c->at[i]);
	return 0;
}

void chain_close(struct opened_chain *c)
{
	for (size_t i = 0; i < c->count; i++)
		c->at[i] = opened_free(c->at[i]);
	c->count = 0;
}

void chain_layers(const struct opened_chain *c, struct mem_layer out[static MEM_LAYERS_MAX])
{
	for (size_t i = 0; i < c->count; i++) {
		const struct opened *o = c->at[c->count - 1 - i];

		out[i] = (struct mem_layer){
			.fd = o->memory_fd, .runs = o->runs, .count = o->runs_count};
	}
}

/* --- from within the sandbox --- */

int snapshot_read_id(const struct sandbox *sandbox, const char *path,
		     uint8_t id[static SNAPSHOT_ID], struct verr *e)
{
	const char *name;
	auto_fd parent = sandbox_open_snapshots(sandbox, path, &name, e), folder = -1, fd = -1;
	struct snapshot_state *snapshot;
	struct state_reader *state = NULL;
	int r = -1;

	if (parent < 0)
		return -1;
	folder = files_open(parent, name, O_RDONLY | O_DIRECTORY);
	if (folder >= 0)
		fd = files_open(folder, SNAPSHOT_STATE_FILE, O_RDONLY | O_NONBLOCK);
	else if (errno == ENOTDIR)
		fd = files_open(parent, name, O_RDONLY | O_NONBLOCK);
	if (fd < 0)
		return verr_invalid_os(e, "cannot open its state");
	snapshot = calloc(1, sizeof(*snapshot));
	if (snapshot == NULL)
		return verr_host(e, "out of memory");
	if (state_reader_load(fd, &state, e) == 0 &&
	    state_get(state, STATE_KIND_SNAPSHOT, 0, snapshot, e) == 0) {
		memcpy(id, snapshot->id, SNAPSHOT_ID);
		r = 0;
	}
	free(snapshot);
	(void)state_reader_free(state);
	return r;
}
