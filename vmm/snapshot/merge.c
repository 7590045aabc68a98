/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/snapshot/merge.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/copy.h"
#include "base/own.h"
#include "vmm/snapshot/files.h"
#include "vmm/snapshot/hash.h"
#include "vmm/snapshot/open.h"
#include "vmm/snapshot/path.h"

struct merge {
	struct opened_chain chain;
	struct snapshot_files files;
	struct state_writer *state;
	struct stamp stamp;
	struct disk_state *disk;
};

/* A file is complete: hash it, and note it as verified. */
static int finish_file(struct merge *m, int fd, const char *name, uint64_t size,
		       uint8_t hash[static SNAPSHOT_HASH], struct verr *e)
{
	struct stamp_file file;

	if (snapshot_hash(fd, size, NULL, hash, e) < 0 || files_sync(fd, name, e) < 0)
		return -1;
	if (stamp_of(fd, name, &file))
		stamp_add(&m->stamp, &file);
	return 0;
}

static int copy_runs(const struct opened *o, int fd, struct verr *e)
{
	for (size_t i = 0; i < o->runs_count; i++)
		if (copy_range(o->memory_fd, fd, o->runs[i].offset, o->runs[i].len, NULL, e) < 0)
			return verr_note(e, "%s", o->path);
	return 0;
}

static int merge_memory(struct merge *m, struct verr *e)
{
	struct opened *whole = m->chain.at[m->chain.count - 1], *top = m->chain.at[0];
	auto_fd fd = files_make(&m->files, SNAPSHOT_MEMORY_FILE, false, e);

	if (fd < 0 || copy_file(whole->memory_fd, fd, whole->memory->size, NULL, e) < 0)
		return -1;
	for (size_t i = m->chain.count - 1; i-- > 0;)
		if (copy_runs(m->chain.at[i], fd, e) < 0)
			return -1;
	if (finish_file(m, fd, SNAPSHOT_MEMORY_FILE, top->memory->size, top->memory->hash, e) < 0)
		return -1;
	(void)snprintf(top->memory->path, sizeof(top->memory->path), SNAPSHOT_MEMORY_FILE);
	state_put(m->state, STATE_KIND_MEMORY, 0, top->memory);
	return 0;
}

static int copy_disk(struct merge *m, struct verr *e)
{
	struct opened *top = m->chain.at[0];
	struct disk_state *disk = m->disk;
	uint8_t hash[SNAPSHOT_HASH];
	char path[PATH_MAX];
	auto_fd from = -1, fd = -1;

	if (path_join(top->folder, disk->path, path, e) < 0)
		return -1;
	from = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (from < 0)
		return verr_invalid_os(e, "cannot open %s", path);
	fd = files_make(&m->files, disk->id, true, e);
	if (fd < 0 ||
	    opened_verify_file(top, from, disk->id, path, disk->size, disk->hash, e) < 0 ||
	    copy_file(from, fd, disk->size, NULL, e) < 0 ||
	    finish_file(m, fd, disk->id, disk->size, hash, e) < 0)
		return -1;
	(void)snprintf(disk->path, sizeof(disk->path), SNAPSHOT_DISKS_FOLDER "/%s", disk->id);
	return 0;
}

static int merge_disks(struct merge *m, struct verr *e)
{
	const struct state_reader *from = m->chain.at[0]->state;

	for (uint32_t i = 0; i < state_count(from, STATE_KIND_DISK); i++) {
		if (state_get(from, STATE_KIND_DISK, i, m->disk, e) < 0)
			return -1;
		if (m->disk->copied && copy_disk(m, e) < 0)
			return verr_note(e, "disk %s", m->disk->id);
		state_put(m->state, STATE_KIND_DISK, i, m->disk);
	}
	return 0;
}

static int write_rest(struct merge *m, struct verr *e)
{
	static const enum state_kind own[] = {STATE_KIND_SNAPSHOT, STATE_KIND_MEMORY,
					      STATE_KIND_RUNS, STATE_KIND_DISK};
	struct opened *top = m->chain.at[0];
	auto_fd state = -1, stamp = -1;
	struct bytes file;

	top->snapshot->diff = false;
	top->snapshot->base_count = 0;
	*top->snapshot->base_path = '\0';
	memcpy(m->stamp.id, top->snapshot->id, sizeof(m->stamp.id));
	state_put(m->state, STATE_KIND_SNAPSHOT, 0, top->snapshot);
	state_copy_rest(m->state, top->state, own, ARRAY_LEN(own));
	if (state_writer_finish(m->state, &file, e) < 0)
		return -1;
	state = files_make(&m->files, SNAPSHOT_STATE_FILE, false, e);
	if (state < 0 || copy_put(state, file.at, file.len, 0, e) < 0 ||
	    files_sync(state, SNAPSHOT_STATE_FILE, e) < 0)
		return -1;
	stamp = files_make(&m->files, SNAPSHOT_STAMP_FILE, false, e);
	return stamp < 0 || stamp_write(&m->stamp, stamp, e) < 0 ||
			       files_sync(stamp, SNAPSHOT_STAMP_FILE, e) < 0
		       ? -1
		       : 0;
}

static int merge(struct merge *m, const char *from, const char *to, struct verr *e)
{
	m->disk = malloc(sizeof(*m->disk));
	if (m->disk == NULL)
		return verr_host(e, "out of memory");
	if (chain_open(&m->chain, from, NULL, e) < 0)
		return -1;
	if (m->chain.count == 1)
		return verr_invalid(e, "%s: it is whole, and needs no other", from);
	if (state_writer_new(&m->state, e) < 0 || files_begin(&m->files, NULL, to, e) < 0 ||
	    merge_memory(m, e) < 0 || merge_disks(m, e) < 0 || write_rest(m, e) < 0)
		return -1;
	return files_name(&m->files, e);
}

int snapshot_merge(const char *from, const char *to, struct verr *e)
{
	struct merge *m = calloc(1, sizeof(*m));
	int r;

	if (m == NULL)
		return verr_host(e, "out of memory");
	m->files = (struct snapshot_files)SNAPSHOT_FILES_INIT;
	r = merge(m, from, to, e);
	files_end(&m->files);
	m->state = state_writer_free(m->state);
	chain_close(&m->chain);
	free(m->disk);
	free(m);
	return r;
}
