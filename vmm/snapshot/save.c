/* SPDX-License-Identifier: Apache-2.0 */
/* The order in which a snapshot is made (snapshot.h); all of it on the thread for that. */
#include "vmm/snapshot/save.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/copy.h"
#include "base/log.h"
#include "base/own.h"
#include "base/sys.h"
#include "version.h"
#include "vmm/snapshot/memory.h"
#include "vmm/snapshot/path.h"

/* Looks at what changed, while the guest runs; and how few pages are left to the hold. */
#define PASSES 4
#define FEW_PAGES 256

/* Runs of pages in a difference; more are joined, with the pages between them. */
#define RUNS_MAX 512U

/* What is open and known of one that is being made. */
struct work {
	struct save *s;
	struct snapshot_files files;
	struct memory_file memory;
	uint64_t *seen; /* pages that were taken from the notes: noted again if all this fails */
	uint64_t *bits; /* what was written since the last look */
	uint64_t *diff; /* the pages of a difference */
	int disks[DISKS_MAX];
	struct stamp stamp;
	bool held;

	/* What the state says. */
	struct snapshot_state snapshot;
	struct memory_state memory_state;
};

static void merge(uint64_t *into, const uint64_t *from, size_t words)
{
	for (size_t i = 0; i < words; i++)
		into[i] |= from[i];
}

/* Take what was written since the last look into w->bits. */
static int look(struct work *w, bool held, struct verr *e)
{
	size_t words = mem_words(w->memory.mem);
	int r;

	memset(w->bits, 0, words * sizeof(*w->bits));
	/* What was taken before a fault goes back with the rest. */
	r = machine_written(w->s->machine, held, w->bits, e);
	merge(w->seen, w->bits, words);
	merge(w->diff, w->bits, words);
	return r;
}

static int no_capture(struct save *s)
{
	(void)s;
	return 0;
}

static int hold(struct work *w, int (*capture)(struct save *), struct verr *e)
{
	if (w->s->hold(w->s->arg, capture, e) < 0)
		return -1;
	w->held = true;
	return 0;
}

static void let_go(struct work *w, bool pause)
{
	if (w->held)
		w->s->let_go(w->s->arg, pause);
	w->held = false;
}

/* The first hold: from here on everything is noted. */
static int begin_notes(struct work *w, struct verr *e)
{
	int r;

	if (hold(w, no_capture, e) < 0)
		return -1;
	r = w->s->tracks ? look(w, true, e) : machine_track(w->s->machine, true, e);
	if (r == 0)
		r = disks_watch(w->s->machine, e);
	let_go(w, false);
	return r;
}

/* Memory while the guest runs: all, or what has changed; then what has changed meanwhile. */
static int put_running(struct work *w, struct verr *e)
{
	size_t words = mem_words(w->memory.mem);
	uint64_t before = UINT64_MAX, count;

	if (begin_notes(w, e) < 0 ||
	    disks_copy_running(w->s->machine, &w->files, w->disks, w->s->end, e) < 0)
		return -1;
	if ((w->s->base != NULL ? memory_put(&w->memory, w->bits, e)
				: memory_put_all(&w->memory, e)) < 0)
		return -1;
	for (int i = 0; i < PASSES; i++) {
		if (look(w, false, e) < 0)
			return -1;
		count = pages_count(w->bits, words);
		if (memory_put(&w->memory, w->bits, e) < 0)
			return -1;
		if (count <= FEW_PAGES || count >= before)
			break;
		before = count;
	}
	return 0;
}

/* Memory while the machine is held. */
static int put_rest(struct work *w, bool unseen, struct verr *e)
{
	size_t words = mem_words(w->memory.mem);

	if (!unseen && look(w, true, e) < 0)
		return -1;
	if (w->s->base != NULL) {
		/* Pages that come in by joining runs are in no other list. */
		(void)pages_join(w->diff, mem_size(w->memory.mem) / MEM_PAGE, RUNS_MAX);
		for (size_t i = 0; i < words; i++)
			w->bits[i] |= w->diff[i] & ~w->memory.put[i];
	}
	return unseen ? memory_put_all(&w->memory, e) : memory_put(&w->memory, w->bits, e);
}

static int capture(struct save *s)
{
	return machine_capture(s->machine, s->state, &s->fault);
}

/* The second hold: the instant of which the snapshot is. */
static int put_instant(struct work *w, bool unseen, struct verr *e)
{
	struct save *s = w->s;
	uint64_t bytes = w->memory.bytes, began = sys_now_ns();

	if (hold(w, capture, e) < 0)
		return -1;
	if (put_rest(w, unseen, e) < 0 ||
	    disks_copy(s->machine, &w->files, w->disks, s->end, e) < 0)
		return -1;
	if (!s->tracks && !unseen && machine_track(s->machine, false, e) < 0)
		return -1;
	disks_forget(s->machine);
	let_go(w, s->stay_paused);
	s->made.while_held = w->memory.bytes - bytes;
	s->made.memory = w->memory.bytes;
	s->made.held_us = (sys_now_ns() - began) / 1000;
	return 0;
}

/* --- what the state says of the snapshot --- */

/* The folder that paths in the state are relative to. */
static int state_folder(const struct save *s, char out[static PATH_MAX], struct verr *e)
{
	if (path_join(s->cwd, s->path, out, e) < 0)
		return -1;
	if (s->memory != NULL)
		*strrchr(out, '/') = '\0';
	return 0;
}

static int put_snapshot(struct work *w, struct verr *e)
{
	struct snapshot_state *state = &w->snapshot;
	struct save *s = w->s;
	char folder[PATH_MAX], base[PATH_MAX];
	struct timespec now;

	if (getrandom(s->made.id, sizeof(s->made.id), 0) != sizeof(s->made.id))
		return verr_os(e, "draw an id");
	memcpy(state->id, s->made.id, sizeof(state->id));
	memcpy(w->stamp.id, s->made.id, sizeof(w->stamp.id));
	(void)clock_gettime(CLOCK_REALTIME, &now);
	state->created_ns = (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
	(void)snprintf(state->version, sizeof(state->version), "%s", VOLT_VERSION);
	if (s->base != NULL) {
		state->diff = s->made.diff = true;
		memcpy(state->base, s->since, SNAPSHOT_ID);
		state->base_count = SNAPSHOT_ID;
		if (state_folder(s, folder, e) < 0 || path_join(s->cwd, s->base, base, e) < 0 ||
		    path_relative(folder, base, state->base_path, e) < 0)
			return -1;
	}
	state_put(s->state, STATE_KIND_SNAPSHOT, 0, state);
	return 0;
}

static int put_config(struct work *w, struct verr *e)
{
	auto_free char *json = machine_config_json(w->s->machine, w->s->cwd);

	if (json == NULL)
		return verr_host(e, "out of memory");
	state_put_bytes(w->s->state, STATE_KIND_CONFIG, 0, bytes_of(json, strlen(json)));
	return 0;
}

static int put_runs(struct work *w, struct verr *e)
{
	auto_free uint8_t *bytes = malloc(RUNS_MAX * 16ULL);
	uint64_t pages = mem_size(w->memory.mem) / MEM_PAGE;
	struct mem_run run;
	size_t len = 0;

	if (bytes == NULL)
		return verr_host(e, "out of memory");
	for (uint64_t at = 0; len < RUNS_MAX * 16ULL && pages_next(w->diff, pages, at, &run);
	     at = (run.offset + run.len) / MEM_PAGE, len += 16) {
		put_le64(bytes + len, run.offset);
		put_le64(bytes + len + 8, run.len);
	}
	state_put_bytes(w->s->state, STATE_KIND_RUNS, 0, bytes_of(bytes, len));
	return 0;
}

static int put_memory_path(const struct save *s, struct memory_state *state, struct verr *e)
{
	char folder[PATH_MAX], memory[PATH_MAX], path[PATH_MAX];

	if (s->memory == NULL) {
		(void)snprintf(state->path, sizeof(state->path), SNAPSHOT_MEMORY_FILE);
		return 0;
	}
	if (state_folder(s, folder, e) < 0 || path_join(s->cwd, s->memory, memory, e) < 0 ||
	    path_relative(folder, memory, path, e) < 0)
		return -1;
	if (snprintf(state->path, sizeof(state->path), "%s", path) >= (int)sizeof(state->path))
		return verr_invalid(e, "%s: too long", s->memory);
	return 0;
}

static int put_memory(struct work *w, struct verr *e)
{
	struct memory_state *state = &w->memory_state;
	const struct mem_region *regions;
	size_t count = mem_regions(w->memory.mem, &regions);
	struct stamp_file file;

	state->size = mem_size(w->memory.mem);
	for (size_t i = 0; i < count; i++) {
		state->regions[i].gpa = regions[i].gpa;
		state->regions[i].len = regions[i].len;
	}
	state->regions_count = (uint32_t)count;
	if (put_memory_path(w->s, state, e) < 0 ||
	    snapshot_hash(w->memory.fd, state->size, w->s->end, state->hash, e) < 0 ||
	    files_sync(w->memory.fd, "memory", e) < 0)
		return verr_note(e, "memory");
	if (stamp_of(w->memory.fd, SNAPSHOT_MEMORY_FILE, &file))
		stamp_add(&w->stamp, &file);
	state_put(w->s->state, STATE_KIND_MEMORY, 0, state);
	return w->s->base != NULL ? put_runs(w, e) : 0;
}

static int write_file(struct work *w, const char *name, struct bytes content, struct verr *e)
{
	auto_fd fd = files_make(&w->files, name, false, e);

	if (fd < 0)
		return -1;
	return copy_put(fd, content.at, content.len, 0, e) < 0 || files_sync(fd, name, e) < 0
		       ? verr_note(e, "%s", name)
		       : 0;
}

static int write_stamp(struct work *w, struct verr *e)
{
	auto_fd fd = files_make(&w->files, SNAPSHOT_STAMP_FILE, false, e);

	return fd < 0 || stamp_write(&w->stamp, fd, e) < 0 ||
			       files_sync(fd, SNAPSHOT_STAMP_FILE, e) < 0
		       ? -1
		       : 0;
}

/* The snapshot is whole without it: then the next load reads everything. */
static void put_stamp_behind(struct work *w)
{
	struct verr e = VERR_INIT;
	struct stamp_file file;

	if (stamp_of(w->memory.fd, SNAPSHOT_MEMORY_FILE, &file))
		stamp_set(&w->stamp, &file);
	if (write_stamp(w, &e) < 0 || apart_name_stamp(&w->files, &e) < 0)
		log_warn(LOG_SNAPSHOT, "%s: not noted as verified: %s", w->s->path, e.text);
}

/* The machine goes on meanwhile. */
static int finish(struct work *w, struct verr *e)
{
	struct save *s = w->s;
	struct bytes file;

	if (put_snapshot(w, e) < 0 || put_config(w, e) < 0 || put_memory(w, e) < 0 ||
	    disks_finish(s->machine, s->cwd, files_disks_name(&w->files), w->disks, s->known,
			 s->end, s->state, &w->stamp, e) < 0 ||
	    state_writer_finish(s->state, &file, e) < 0 ||
	    write_file(w, SNAPSHOT_STATE_FILE, file, e) < 0 ||
	    (!w->files.apart && write_stamp(w, e) < 0) || files_name(&w->files, e) < 0)
		return -1;
	if (w->files.apart)
		put_stamp_behind(w);
	return 0;
}

/* --- the whole --- */

/* What is there may be this one's base, or its base's. */
static int begin_files(struct work *w, struct verr *e)
{
	struct save *s = w->s;

	if (s->memory == NULL)
		return files_begin(&w->files, s->sandbox, s->path, e);
	if (files_begin_apart(&w->files, s->sandbox, s->path, s->memory, e) < 0)
		return -1;
	if (w->files.replaces && s->prefer_whole)
		s->base = NULL;
	return 0;
}

static int begin(struct work *w, struct verr *e)
{
	struct mem *mem = machine_memory(w->s->machine);
	size_t words = mem_words(mem);
	int fd;

	w->seen = calloc(words, sizeof(*w->seen));
	w->bits = calloc(words, sizeof(*w->bits));
	w->diff = calloc(words, sizeof(*w->diff));
	if (w->seen == NULL || w->bits == NULL || w->diff == NULL)
		return verr_host(e, "out of memory");
	if (state_writer_new(&w->s->state, e) < 0 || begin_files(w, e) < 0)
		return -1;
	fd = files_make(&w->files, SNAPSHOT_MEMORY_FILE, false, e);
	return fd < 0 ? -1 : memory_begin(&w->memory, mem, fd, w->s->end, e);
}

/* What was noted before counts for the next one, too. */
static void give_up(struct work *w)
{
	struct verr none = VERR_INIT;

	if (w->s->tracks && w->seen != NULL && w->memory.mem != NULL)
		mem_note(machine_memory(w->s->machine), w->seen);
	if (!w->s->tracks)
		(void)!machine_track(w->s->machine, false, &none);
	disks_forget(w->s->machine);
	let_go(w, false);
}

static void clean(struct work *w)
{
	memory_end(&w->memory);
	for (size_t i = 0; i < DISKS_MAX; i++)
		fd_close(&w->disks[i]);
	files_end(&w->files);
	w->s->state = state_writer_free(w->s->state);
	free(w->seen);
	free(w->bits);
	free(w->diff);
}

int save_run(struct save *s, struct verr *e)
{
	struct work *w = calloc(1, sizeof(*w));
	bool unseen = machine_writes_unseen(s->machine);
	int r;

	if (w == NULL)
		return verr_host(e, "out of memory");
	w->s = s;
	w->files = (struct snapshot_files)SNAPSHOT_FILES_INIT;
	w->memory = (struct memory_file)MEMORY_FILE_INIT;
	for (size_t i = 0; i < DISKS_MAX; i++)
		w->disks[i] = -1;
	r = begin(w, e) < 0 || (!unseen && put_running(w, e) < 0) ||
			    put_instant(w, unseen, e) < 0 || finish(w, e) < 0
		    ? -1
		    : 0;
	if (r < 0)
		give_up(w);
	clean(w);
	free(w);
	return r;
}
