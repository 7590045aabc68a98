/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sync engine: operations wait in a list, up to SYNC_JOBS workers take them from it one by one,
 * and put them into another when they are done. What the host has in its page cache is read at
 * once, without a worker.
 */
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "base/own.h"
#include "vmm/devices/block/engines.h"

#define SYNC_JOBS 4

/* Longer reads would keep the loop from its other devices. */
#define CACHED_READ_MAX KIB(64)

struct io_list {
	struct disk_io *first, **last;
};

struct sync_engine {
	struct disk_engine engine; /* first */
	struct disk_medium *const *medium;
	struct workers *workers;
	struct sync_job {
		struct job job; /* first */
		struct sync_engine *engine;
		bool busy; /* lock */
	} jobs[SYNC_JOBS];

	pthread_mutex_t lock;
	pthread_cond_t completed;
	struct io_list pending, done; /* lock */
};

static void list_clear(struct io_list *l)
{
	l->first = NULL;
	l->last = &l->first;
}

static void list_add(struct io_list *l, struct disk_io *io)
{
	io->next = NULL;
	*l->last = io;
	l->last = &io->next;
}

static struct disk_io *list_take(struct io_list *l)
{
	struct disk_io *io = l->first;

	if (io != NULL && (l->first = io->next) == NULL)
		l->last = &l->first;
	return io;
}

/* The event is written without the lock, which whoever it wakes takes first. */
static void add_done(struct sync_engine *s, struct disk_io *io)
{
	uint64_t one = 1;
	bool first;

	(void)pthread_mutex_lock(&s->lock);
	first = s->done.first == NULL;
	list_add(&s->done, io);
	(void)pthread_cond_signal(&s->completed);
	(void)pthread_mutex_unlock(&s->lock);
	if (first)
		(void)!write(s->engine.event, &one, sizeof(one));
}

/* One operation, then the end of the workers' queue again, so that no disk keeps them all. */
static void run(struct job *job)
{
	struct sync_job *j = (struct sync_job *)job;
	struct sync_engine *s = j->engine;
	struct disk_io *io;
	bool more;

	(void)pthread_mutex_lock(&s->lock);
	io = list_take(&s->pending);
	(void)pthread_mutex_unlock(&s->lock);
	if (io != NULL) {
		io->error = (*s->medium)->class->run(*s->medium, io);
		add_done(s, io);
	}
	(void)pthread_mutex_lock(&s->lock);
	more = s->pending.first != NULL;
	j->busy = more;
	/* Under the lock: once it is not busy, and let go of, the engine may be gone. */
	if (more)
		workers_add(s->workers, job);
	(void)pthread_mutex_unlock(&s->lock);
}

static void submit(struct disk_engine *engine, struct disk_io *io)
{
	struct sync_engine *s = (struct sync_engine *)engine;
	struct sync_job *idle = NULL;

	engine->inflight++;
	if (io->op == DISK_READ && io->len <= CACHED_READ_MAX &&
	    (*s->medium)->class->read_now(*s->medium, io)) {
		disk_complete(engine, io, 0);
		return;
	}
	(void)pthread_mutex_lock(&s->lock);
	list_add(&s->pending, io);
	for (size_t i = 0; i < SYNC_JOBS && idle == NULL; i++)
		if (!s->jobs[i].busy)
			idle = &s->jobs[i];
	if (idle != NULL)
		idle->busy = true;
	(void)pthread_mutex_unlock(&s->lock);
	if (idle != NULL)
		workers_add(s->workers, &idle->job);
}

static void commit(struct disk_engine *engine)
{
	(void)engine; /* submitted is begun */
}

static void reap(struct disk_engine *engine)
{
	struct sync_engine *s = (struct sync_engine *)engine;
	struct disk_io *io, *next;

	(void)pthread_mutex_lock(&s->lock);
	io = s->done.first;
	list_clear(&s->done);
	(void)pthread_mutex_unlock(&s->lock);
	for (; io != NULL; io = next) {
		next = io->next;
		disk_complete(engine, io, io->error);
	}
}

static void wait_one(struct disk_engine *engine)
{
	struct sync_engine *s = (struct sync_engine *)engine;

	(void)pthread_mutex_lock(&s->lock);
	while (s->done.first == NULL)
		(void)pthread_cond_wait(&s->completed, &s->lock);
	(void)pthread_mutex_unlock(&s->lock);
	reap(engine);
}

static bool is_busy(struct sync_engine *s)
{
	bool busy = false;

	(void)pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < SYNC_JOBS; i++)
		busy |= s->jobs[i].busy;
	(void)pthread_mutex_unlock(&s->lock);
	return busy;
}

static void engine_free(struct disk_engine *engine)
{
	struct sync_engine *s = (struct sync_engine *)engine;

	/* Nothing is in flight, but a worker may be on its way out of the last operation. */
	while (is_busy(s))
		(void)sched_yield();
	fd_close(&engine->event);
	(void)pthread_cond_destroy(&s->completed);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}

/* Every operation looks at the medium anew. */
static int changed(struct disk_engine *engine)
{
	(void)engine;
	return 0;
}

static const struct disk_engine_class sync_class = {
	.name = "sync",
	.submit = submit,
	.commit = commit,
	.reap = reap,
	.wait = wait_one,
	.changed = changed,
	.free = engine_free,
};

int sync_engine_new(struct disk_medium *const *medium, struct workers *workers, disk_done_fn *done,
		    void *arg, struct disk_engine **out, struct verr *e)
{
	struct sync_engine *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return verr_host(e, "out of memory");
	s->engine = (struct disk_engine){.class = &sync_class, .done = done, .arg = arg};
	s->engine.event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->medium = medium;
	s->workers = workers;
	for (size_t i = 0; i < SYNC_JOBS; i++)
		s->jobs[i] = (struct sync_job){.job.run = run, .engine = s};
	(void)pthread_mutex_init(&s->lock, NULL);
	(void)pthread_cond_init(&s->completed, NULL);
	list_clear(&s->pending);
	list_clear(&s->done);
	if (s->engine.event < 0) {
		(void)verr_os(e, "create an eventfd");
		engine_free(&s->engine);
		return -1;
	}
	*out = &s->engine;
	return 0;
}
