/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/devices/block/volume.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/copy.h"
#include "base/log.h"
#include "base/own.h"
#include "stellarium/include/stellarium.h"

#define SECTOR 512ULL
#define PAGE 4096U

struct disk_volume {
	struct disk_medium medium; /* first */
	struct stel_volume *volume;
	char id[21];              /* for the log */
	const char *store, *path; /* borrowed, for as long as it may be undone */
	bool undo;
	struct workers *workers;
	struct log_limit limit;

	struct job ahead;
	atomic_bool ahead_busy; /* the job waits or runs */

	/* The last flush, which a worker does. */
	struct job last;
	pthread_mutex_t lock;
	pthread_cond_t flushed;
	bool done; /* lock */
};

/* --- operations, on any thread --- */

/* A piece, then the end of the workers' queue again: what a guest waits for comes before. */
static void read_ahead(struct job *job)
{
	struct disk_volume *d =
		(struct disk_volume *)(void *)((char *)job - offsetof(struct disk_volume, ahead));

	if (stel_volume_ahead(d->volume))
		workers_add(d->workers, job);
	else
		atomic_store(&d->ahead_busy, false);
}

static void plan_ahead(struct disk_volume *d)
{
	if (stel_volume_wants_ahead(d->volume) && !atomic_exchange(&d->ahead_busy, true))
		workers_add(d->workers, &d->ahead);
}

static int do_io(struct disk_volume *d, const struct disk_io *io, struct verr *e)
{
	struct stel_volume *v = d->volume;
	int r = -1;

	switch (io->op) {
	case DISK_READ:
		r = stel_volume_read(v, io->iov, io->niov, io->offset, io->len, e);
		plan_ahead(d);
		break;
	case DISK_WRITE:
		r = stel_volume_write(v, io->iov, io->niov, io->offset, io->len, e);
		if (r == 0 && io->durable)
			r = stel_volume_flush(v, e);
		break;
	case DISK_FLUSH:
		r = stel_volume_flush(v, e);
		break;
	case DISK_DISCARD:
	case DISK_WRITE_ZEROES:
		r = stel_volume_zero(v, io->offset, io->len, e);
		break;
	}
	return r;
}

static int run(struct disk_medium *medium, struct disk_io *io)
{
	struct disk_volume *d = (struct disk_volume *)medium;
	struct verr e = VERR_INIT;

	if (do_io(d, io, &e) == 0)
		return 0;
	/* Which chunk of which image: nobody else can say. */
	if (e.kind == VERR_CORRUPT)
		log_limited(LOG_ERROR, LOG_BLOCK, &d->limit, "disk %s: %s", d->id, e.text);
	return e.os != 0 ? e.os : EIO;
}

static bool read_now(struct disk_medium *medium, const struct disk_io *io)
{
	struct disk_volume *d = (struct disk_volume *)medium;

	if (!stel_volume_read_now(d->volume, io->iov, io->niov, io->offset, io->len))
		return false;
	plan_ahead(d);
	return true;
}

/* What the overlay has is in its file, once it is flushed. */
static int save(struct disk_medium *medium, int fd, const atomic_bool *end, struct verr *e)
{
	struct disk_volume *d = (struct disk_volume *)medium;
	int overlay = stel_volume_overlay(d->volume);
	struct stat st;

	if (overlay < 0)
		return verr_invalid(e, "an overlay that is discarded cannot be saved");
	if (stel_volume_flush(d->volume, e) < 0)
		return -1;
	if (fstat(overlay, &st) < 0)
		return verr_os(e, "stat the overlay");
	return copy_file(overlay, fd, (uint64_t)st.st_size, end, e);
}

static const struct disk_medium_class volume_class = {
	.run = run, .read_now = read_now, .save = save};

/* --- opening --- */

static struct stel_volume_options options_of(const struct disk_volume_options *o)
{
	struct stel_volume_options v = {.image = o->image,
					.readonly = o->readonly,
					.create = !o->readonly,
					.pretend = o->pretend,
					.passing = o->passing,
					.unsafe = o->unsafe,
					.cache = o->cache,
					.threads = o->threads};

	if (o->folder != NULL) {
		v.overlay = STEL_OVERLAY_FOLDER;
		v.path = o->folder;
	} else if (strcmp(o->overlay, "none") == 0) {
		v.overlay = STEL_OVERLAY_NONE;
	} else if (strcmp(o->overlay, "discard") == 0) {
		v.overlay = STEL_OVERLAY_DISCARD;
	} else {
		v.overlay = STEL_OVERLAY_FILE;
		v.path = o->overlay;
	}
	return v;
}

/* What the user named is wrong: damaged, in use, not to be read. */
static int blame_user(struct verr *e)
{
	bool denied = e->os == EACCES || e->os == EPERM || e->os == EROFS || e->os == ENOENT ||
		      e->os == ENOTDIR;

	if (e->kind == VERR_CORRUPT || e->kind == VERR_STATE || (e->kind == VERR_HOST && denied))
		e->kind = VERR_INVALID;
	return -1;
}

static int open_volume(struct disk_volume *d, const struct disk_volume_options *o, struct verr *e)
{
	const struct stel_volume_options options = options_of(o);
	struct stel *store = NULL;
	int r;

	if (stel_open(&store, o->store, e) < 0)
		return blame_user(e);
	r = stel_volume_open(store, &options, &d->volume, e);
	(void)stel_close(store);
	return r < 0 ? blame_user(e) : 0;
}

static int build(struct disk_volume *d, const struct disk_volume_options *o, struct verr *e)
{
	uint64_t size;

	(void)snprintf(d->id, sizeof(d->id), "%s", o->id);
	d->store = o->store;
	d->path = o->folder != NULL ? o->folder : o->overlay;
	d->workers = o->workers;
	d->ahead.run = read_ahead;
	(void)pthread_mutex_init(&d->lock, NULL);
	(void)pthread_cond_init(&d->flushed, NULL);
	if (open_volume(d, o, e) < 0)
		return -1;
	size = stel_volume_size(d->volume);
	if (size % SECTOR != 0)
		log_warn(LOG_BLOCK,
			 "image %s: the last %llu bytes are no whole sector and are left out",
			 stel_volume_image(d->volume), (unsigned long long)(size % SECTOR));
	d->medium = (struct disk_medium){.class = &volume_class,
					 .readonly = stel_volume_readonly(d->volume),
					 .size = size - size % SECTOR,
					 .physical = PAGE};
	d->medium.discard = d->medium.write_zeroes = !d->medium.readonly;
	return 0;
}

int disk_volume_open(const struct disk_volume_options *o, struct disk_volume **out, struct verr *e)
{
	struct disk_volume *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return verr_host(e, "out of memory");
	if (build(d, o, e) < 0) {
		(void)disk_volume_close(d);
		return -1;
	}
	*out = d;
	return 0;
}

struct disk_medium *disk_volume_medium(struct disk_volume *d)
{
	return &d->medium;
}

const char *disk_volume_image(const struct disk_volume *d)
{
	return stel_volume_image(d->volume);
}

/* --- the end --- */

void disk_volume_undo(struct disk_volume *d)
{
	d->undo = stel_volume_made(d->volume);
}

/* Another fault is being told: this one would only hide it. */
static void remove_made(const struct disk_volume *d)
{
	struct verr none = VERR_INIT;
	struct stel *store = NULL;

	if (stel_open(&store, d->store, &none) == 0)
		(void)!stel_volume_remove(store, d->path, &none);
	(void)stel_close(store);
}

static void flush_last(struct job *job)
{
	struct disk_volume *d =
		(struct disk_volume *)(void *)((char *)job - offsetof(struct disk_volume, last));
	struct verr e = VERR_INIT;

	if (stel_volume_flush(d->volume, &e) < 0)
		log_error(LOG_BLOCK, "disk %s: %s", d->id, e.text);
	(void)pthread_mutex_lock(&d->lock);
	d->done = true;
	(void)pthread_cond_signal(&d->flushed);
	(void)pthread_mutex_unlock(&d->lock);
}

/*
 * A guest that ended without a flush, or was told that none is needed, loses nothing by our end.
 * Without workers there was no guest: a start that failed, or a dry run.
 */
static void flush(struct disk_volume *d)
{
	d->last.run = flush_last;
	workers_add(d->workers, &d->last);
	(void)pthread_mutex_lock(&d->lock);
	while (!d->done)
		(void)pthread_cond_wait(&d->flushed, &d->lock);
	(void)pthread_mutex_unlock(&d->lock);
}

struct disk_volume *disk_volume_close(struct disk_volume *d)
{
	if (d == NULL)
		return NULL;
	while (atomic_load(&d->ahead_busy))
		(void)sched_yield();
	if (d->volume != NULL && !d->medium.readonly && !d->undo && workers_running(d->workers))
		flush(d);
	d->volume = stel_volume_close(d->volume);
	if (d->undo)
		remove_made(d);
	(void)pthread_cond_destroy(&d->flushed);
	(void)pthread_mutex_destroy(&d->lock);
	free(d);
	return NULL;
}
