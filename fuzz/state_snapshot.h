/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of a state file through the loader of snapshots, from a folder that has what the file
 * says that belongs to it, up to a machine that could run; its KVM is the host's, where there is
 * one. Hashes are not for a fuzzer to find, so a stamp says that all files are right.
 */
#ifndef VOLT_FUZZ_STATE_SNAPSHOT_H
#define VOLT_FUZZ_STATE_SNAPSHOT_H

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz/virtio_fuzz.h"
#include "vmm/machine/machine.h"
#include "vmm/snapshot/restore.h"

/* What is more only takes time. */
#define SNAP_MEMORY_MAX MIB(64)
#define SNAP_CPUS_MAX 2
#define SNAP_DISKS_MAX 3
#define SNAP_DISK "disks/d"

/* A machine takes KVM a long time: the first ones, and then one in so many. */
#define SNAP_FIRST 64
#define SNAP_BUILD_ONE_IN 16

struct snap {
	char folder[64], disk[96];
	int state, memory, disk_fd, stamp;
	int base_state, base_memory, base_stamp;
	bool kvm;
	unsigned machines;
};

static inline int snap_file(const struct snap *s, const char *name)
{
	char path[96];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", s->folder, name);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
	return fd;
}

static inline void snap_remove(void);

/* One folder for all runs, and gone at the end. */
static inline struct snap *snap_folder(void)
{
	static struct snap s;
	const char *parent = getenv("TMPDIR");

	if (s.folder[0] != '\0')
		return &s;
	if (parent == NULL || strlen(parent) > 40)
		parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	(void)snprintf(s.folder, sizeof(s.folder), "%s/state-fuzz.XXXXXX", parent);
	CHECK(mkdtemp(s.folder) != NULL);
	CHECK(setenv("TMPDIR", s.folder, 1) == 0); /* for what disks are written to */
	(void)snprintf(s.disk, sizeof(s.disk), "%s/disks", s.folder);
	CHECK(mkdir(s.disk, 0700) == 0);
	s.state = snap_file(&s, "state");
	s.memory = snap_file(&s, "memory");
	(void)snprintf(s.disk, sizeof(s.disk), "%s/base", s.folder);
	CHECK(mkdir(s.disk, 0700) == 0);
	(void)snprintf(s.disk, sizeof(s.disk), "%s/" SNAP_DISK, s.folder);
	s.disk_fd = snap_file(&s, SNAP_DISK);
	s.base_state = snap_file(&s, "base/state");
	s.base_memory = snap_file(&s, "base/memory");
	s.base_stamp = snap_file(&s, "base/verified");
	s.stamp = snap_file(&s, "verified");
	s.kvm = access("/dev/kvm", R_OK | W_OK) == 0;
	CHECK(atexit(snap_remove) == 0);
	return &s;
}

static inline void snap_remove(void)
{
	static const char *const names[] = {
		"state",      "memory",      "verified",      SNAP_DISK, "disks",
		"base/state", "base/memory", "base/verified", "base",    ""};
	struct snap *s = snap_folder();
	char path[96];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", s->folder, names[i]);
		(void)remove(path);
	}
}

static inline void snap_put(int fd, const void *at, size_t len)
{
	CHECK(ftruncate(fd, 0) == 0 && pwrite(fd, at, len, 0) == (ssize_t)len);
}

static inline void snap_put_stamp(int fd, const struct stamp *stamp)
{
	struct verr e = VERR_INIT;

	CHECK(ftruncate(fd, 0) == 0 && stamp_write(stamp, fd, &e) == 0);
}

static inline void snap_add(struct stamp *stamp, int fd, const char *name)
{
	struct stamp_file file;

	CHECK(stamp_of(fd, name, &file));
	stamp_add(stamp, &file);
}

/* The whole snapshot that this one is a difference to. */
static inline void snap_base(struct snap *s, const struct snapshot_state *diff,
			     const struct memory_state *memory)
{
	static struct snapshot_state whole;
	struct state_writer *w = NULL;
	struct stamp stamp = {.count = 0};
	struct bytes file;
	struct verr e = VERR_INIT;

	memcpy(whole.id, diff->base, sizeof(whole.id));
	memcpy(stamp.id, diff->base, sizeof(stamp.id));
	CHECK(state_writer_new(&w, &e) == 0);
	state_put(w, STATE_KIND_SNAPSHOT, 0, &whole);
	state_put(w, STATE_KIND_MEMORY, 0, memory);
	CHECK(state_writer_finish(w, &file, &e) == 0);
	snap_put(s->base_state, file.at, file.len);
	CHECK(ftruncate(s->base_memory, (off_t)memory->size) == 0);
	snap_add(&stamp, s->base_memory, "memory");
	snap_put_stamp(s->base_stamp, &stamp);
	(void)state_writer_free(w);
}

/* One file is all disks, with the last one's size. */
static inline bool snap_disks(struct snap *s, const struct state_reader *r, struct stamp *stamp)
{
	static struct disk_state disks[SNAP_DISKS_MAX];
	uint32_t count = MIN(state_count(r, STATE_KIND_DISK), (uint32_t)SNAP_DISKS_MAX);
	struct verr e = VERR_INIT;

	for (uint32_t i = 0; i < count; i++) {
		if (state_get(r, STATE_KIND_DISK, i, &disks[i], &e) < 0 ||
		    disks[i].size > SNAP_MEMORY_MAX ||
		    (disks[i].copied && strcmp(disks[i].path, SNAP_DISK) != 0))
			return false;
		CHECK(ftruncate(s->disk_fd, (off_t)disks[i].size) == 0);
	}
	for (uint32_t i = 0; i < count; i++)
		snap_add(stamp, s->disk_fd, disks[i].id);
	return true;
}

/* Files as the state says that they are; false: it is more than is tried, or leads elsewhere. */
static inline bool snap_files(struct snap *s, const struct state_reader *r)
{
	static struct snapshot_state snapshot;
	static struct memory_state memory;
	struct stamp stamp = {.count = 0};
	struct verr e = VERR_INIT;

	if (state_get(r, STATE_KIND_SNAPSHOT, 0, &snapshot, &e) < 0 ||
	    state_get(r, STATE_KIND_MEMORY, 0, &memory, &e) < 0 || memory.size > SNAP_MEMORY_MAX ||
	    strcmp(memory.path, "memory") != 0 ||
	    (snapshot.diff && strcmp(snapshot.base_path, ".") != 0 &&
	     strcmp(snapshot.base_path, "base") != 0) ||
	    !snap_disks(s, r, &stamp))
		return false;
	if (snapshot.diff)
		snap_base(s, &snapshot, &memory);
	memcpy(stamp.id, snapshot.id, sizeof(stamp.id));
	CHECK(ftruncate(s->memory, (off_t)memory.size) == 0);
	snap_add(&stamp, s->memory, "memory");
	snap_put_stamp(s->stamp, &stamp);
	return true;
}

/* Disks that are the fuzzer's own, and no more of anything than is tried. */
static inline bool snap_may_build(const struct snap *s, struct config *c)
{
	if (c->cpus > SNAP_CPUS_MAX || c->nets.count > 0 || c->drives.count > SNAP_DISKS_MAX ||
	    c->prefault)
		return false;
	for (size_t i = 0; i < c->drives.count; i++) {
		struct drive_config *d = &config_drives(c)[i];

		if (drive_is_volume(d) || d->iothreads > 1 || d->queues > 2)
			return false;
		d->engine = DISK_ENGINE_SYNC;
		if (!d->readonly)
			continue;
		free(d->path);
		d->path = strdup(s->disk);
		CHECK(d->path != NULL);
	}
	return true;
}

static inline void snap_build(struct restore *restore, struct config *c)
{
	struct machine *machine = NULL;
	struct loop *loop = NULL;
	struct verr e = VERR_INIT;

	CHECK(loop_new(&loop, &e) == 0);
	if (machine_new(c, loop, NULL, &machine, &e) == 0) {
		restore_opened(restore, c);
		machine_restore_from(machine,
				     restore_machine(restore, MACHINE_CLOCK_ADVANCE, true));
		if (machine_build(machine, &e) < 0)
			CHECK(e.text[0] != '\0');
	}
	(void)machine_free(machine);
	(void)loop_free(loop);
}

static inline void snap_try(const struct state_reader *r, struct bytes file)
{
	struct snap *s = snap_folder();
	struct restore *restore = NULL;
	struct config own;
	struct verr e = VERR_INIT;

	if (!snap_files(s, r))
		return;
	snap_put(s->state, file.at, file.len);
	config_init(&own);
	own.restore = strdup(s->folder);
	free(own.console);
	own.console = strdup("none");
	CHECK(own.restore != NULL && own.console != NULL);
	if (restore_open(s->folder, NULL, &restore, &e) == 0 &&
	    restore_config(restore, &own, &e) == 0 && config_check(&own, &e) == 0 &&
	    snap_may_build(s, &own) && restore_disks(restore, &own, &e) == 0 && s->kvm &&
	    (++s->machines <= SNAP_FIRST || s->machines % SNAP_BUILD_ONE_IN == 0))
		snap_build(restore, &own);
	(void)restore_free(restore, false);
	config_deinit(&own);
}

#endif
