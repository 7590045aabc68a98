/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/snapshot/disks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/copy.h"
#include "base/own.h"
#include "vmm/devices/block/block.h"
#include "vmm/snapshot/path.h"

bool disk_is_copied(const struct drive_config *config)
{
	return !config->readonly;
}

/* One that can be copied before the machine is held. */
static bool is_copied_running(const struct drive_config *config)
{
	return disk_is_copied(config) && !drive_is_volume(config);
}

int disks_watch(const struct machine *m, struct verr *e)
{
	const struct drive_config *config;
	struct block *block;

	for (size_t i = 0; machine_disk(m, i, &config, &block); i++)
		if (is_copied_running(config) &&
		    written_begin(block_written(block), block_medium(block)->size, e) < 0)
			return -1;
	return 0;
}

void disks_forget(const struct machine *m)
{
	const struct drive_config *config;
	struct block *block;

	for (size_t i = 0; machine_disk(m, i, &config, &block); i++)
		written_end(block_written(block));
}

static int copy_whole(const struct drive_config *config, struct block *block,
		      struct snapshot_files *files, int *fd, const atomic_bool *end, struct verr *e)
{
	struct disk_medium *medium = block_medium(block);

	*fd = files_make(files, config->id, true, e);
	return *fd < 0 || medium->class->save(medium, *fd, end, e) < 0
		       ? verr_note(e, "disk %s", config->id)
		       : 0;
}

int disks_copy_running(const struct machine *m, struct snapshot_files *files,
		       int fds[static DISKS_MAX], const atomic_bool *end, struct verr *e)
{
	const struct drive_config *config;
	struct block *block;

	for (size_t i = 0; machine_disk(m, i, &config, &block) && i < DISKS_MAX; i++)
		if (is_copied_running(config) &&
		    copy_whole(config, block, files, &fds[i], end, e) < 0)
			return -1;
	return 0;
}

/* What was written since the copy was begun, as it is now. */
static int copy_written(const struct drive_config *config, struct block *block, int fd,
			const atomic_bool *end, struct verr *e)
{
	auto_free uint8_t *bytes = malloc(WRITTEN_PART);
	struct disk_medium *medium = block_medium(block);
	uint64_t len;

	if (bytes == NULL)
		return verr_host(e, "out of memory");
	for (uint64_t at = 0; written_next(block_written(block), &at, &len); at += len) {
		uint64_t part = MIN(len, medium->size - at);
		struct iovec iov = {.iov_base = bytes, .iov_len = part};
		struct disk_io io = {
			.op = DISK_READ, .offset = at, .len = part, .iov = &iov, .niov = 1};

		if (atomic_load(end))
			return verr_state(e, "interrupted");
		errno = medium->class->run(medium, &io);
		if (errno != 0)
			return verr_os(e, "disk %s: read at %llu", config->id,
				       (unsigned long long)at);
		if (copy_put(fd, bytes, part, at, e) < 0)
			return verr_note(e, "disk %s", config->id);
	}
	return 0; /* NOLINT(clang-analyzer-unix.Malloc): it is freed */
}

int disks_copy(const struct machine *m, struct snapshot_files *files, int fds[static DISKS_MAX],
	       const atomic_bool *end, struct verr *e)
{
	const struct drive_config *config;
	struct block *block;

	for (size_t i = 0; machine_disk(m, i, &config, &block) && i < DISKS_MAX; i++) {
		if (!disk_is_copied(config))
			continue;
		if ((fds[i] < 0 ? copy_whole(config, block, files, &fds[i], end, e)
				: copy_written(config, block, fds[i], end, e)) < 0)
			return -1;
	}
	return 0;
}

static bool is_known(const struct disk_hashes *known, const struct stamp_file *file,
		     uint8_t hash[static SNAPSHOT_HASH])
{
	for (size_t i = 0; i < known->count; i++)
		if (memcmp(&known->known[i].file, file, sizeof(*file)) == 0) {
			memcpy(hash, known->known[i].hash, SNAPSHOT_HASH);
			return true;
		}
	return false;
}

static void remember(struct disk_hashes *known, const struct stamp_file *file,
		     const uint8_t hash[static SNAPSHOT_HASH])
{
	size_t at = known->count;

	for (size_t i = 0; i < known->count; i++)
		if (strcmp(known->known[i].file.name, file->name) == 0)
			at = i;
	if (at == DISKS_MAX)
		return;
	known->known[at].file = *file;
	memcpy(known->known[at].hash, hash, SNAPSHOT_HASH);
	known->count = MAX(known->count, at + 1);
}

/* Of a file that others may have, too: hashed once, as long as it stays as it is. */
static int hash_referenced(const struct drive_config *config, struct block *block,
			   struct disk_hashes *known, const atomic_bool *end,
			   struct disk_state *out, struct stamp *stamp, struct verr *e)
{
	int fd = block_file(block);
	struct stamp_file file;
	bool regular;

	out->size = block_medium(block)->size;
	regular = stamp_of(fd, config->id, &file);
	if (regular && is_known(known, &file, out->hash)) {
		stamp_add(stamp, &file);
		return 0;
	}
	if (snapshot_hash(fd, out->size, end, out->hash, e) < 0)
		return -1;
	if (regular) {
		stamp_add(stamp, &file);
		remember(known, &file, out->hash);
	}
	return 0;
}

static int hash_copy(const struct drive_config *config, int fd, const atomic_bool *end,
		     struct disk_state *out, struct stamp *stamp, struct verr *e)
{
	struct stamp_file file;

	if (!stamp_of(fd, config->id, &file))
		return verr_os(e, "stat the copy");
	out->size = file.size;
	if (snapshot_hash(fd, out->size, end, out->hash, e) < 0 ||
	    files_sync(fd, config->id, e) < 0)
		return -1;
	stamp_add(stamp, &file);
	return 0;
}

static int finish_one(const struct drive_config *config, struct block *block, const char *cwd,
		      const char *folder, int fd, struct disk_hashes *known, const atomic_bool *end,
		      struct disk_state *out, struct stamp *stamp, struct verr *e)
{
	(void)snprintf(out->id, sizeof(out->id), "%s", config->id);
	out->copied = disk_is_copied(config);
	if (out->copied) {
		(void)snprintf(out->path, sizeof(out->path), "%s/%s", folder, config->id);
		return hash_copy(config, fd, end, out, stamp, e);
	}
	if (drive_is_volume(config)) /* the store looks after what is in it */
		return 0;
	if (path_join(cwd, config->path, out->path, e) < 0)
		return -1;
	return hash_referenced(config, block, known, end, out, stamp, e);
}

int disks_finish(const struct machine *m, const char *cwd, const char *folder,
		 const int fds[static DISKS_MAX], struct disk_hashes *known, const atomic_bool *end,
		 struct state_writer *state, struct stamp *stamp, struct verr *e)
{
	struct disk_state room, *disk = &room;
	const struct drive_config *config;
	struct block *block;

	for (size_t i = 0; machine_disk(m, i, &config, &block) && i < DISKS_MAX; i++) {
		memset(disk, 0, sizeof(*disk));
		if (finish_one(config, block, cwd, folder, fds[i], known, end, disk, stamp, e) < 0)
			return verr_note(e, "disk %s", config->id);
		state_put(state, STATE_KIND_DISK, (uint32_t)i, disk);
	}
	return 0;
}
