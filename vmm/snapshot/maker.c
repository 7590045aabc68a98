/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that makes snapshots, and its talk with the loop. */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "base/thread.h"
#include "vmm/snapshot/restore.h"
#include "vmm/snapshot/save.h"

#define STACK_BYTES KIB(512)

/* Descriptors of one that is being made: folders, memory, state, and the disks. */
#define DESCRIPTORS (16 + DISKS_MAX)

/* What the thread asks the loop for. */
enum ask { ASK_NOTHING, ASK_HOLD, ASK_LET_GO, ASK_LET_GO_PAUSED };

struct snapshots {
	struct machine *machine;
	struct loop *loop;
	struct sandbox *sandbox;
	char *cwd;
	pthread_t thread;
	struct disk_hashes known;
	uint8_t since[SNAPSHOT_ID]; /* the last one, since which changes are noted */
	char *last;                 /* where it is; NULL: nobody knows */
	size_t depth;               /* of how many snapshots it consists */
	bool tracks, started, has_since;
	atomic_bool end;

	pthread_mutex_t lock;
	pthread_cond_t cond;

	/* lock; what is to be made, or is being made */
	char *path, *base, *memory;
	bool wanted, busy, stay_paused, diff;
	snapshot_done_fn *done;
	void *arg;

	/* lock; a question to the loop, and its answer */
	enum ask ask;
	int (*capture)(struct save *);
	struct save *save;
	int answer;
	bool captured;
	struct verr fault;
	struct loop_source asked, finished;

	/* what was made; the thread's until `finished` */
	struct snapshot_made made;
	struct verr result;
};

/* --- the thread's side --- */

/* Ask, and wait for the answer; -1, too, when all ends. */
static int ask(struct snapshots *s, enum ask what, struct verr *e)
{
	int r;

	(void)pthread_mutex_lock(&s->lock);
	s->ask = what;
	loop_wake(&s->asked);
	while (s->ask != ASK_NOTHING && !atomic_load(&s->end))
		(void)pthread_cond_wait(&s->cond, &s->lock);
	r = s->ask == ASK_NOTHING ? s->answer : verr_state(e, "the machine has ended");
	s->ask = ASK_NOTHING;
	if (r < 0 && e->kind == VERR_NONE)
		*e = s->fault;
	(void)pthread_mutex_unlock(&s->lock);
	return r;
}

static int ask_hold(void *arg, int (*capture)(struct save *), struct verr *e)
{
	struct snapshots *s = arg;
	int r;

	s->capture = capture;
	s->captured = false;
	if (ask(s, ASK_HOLD, e) < 0)
		return -1;
	/* The loop waits for this. */
	r = capture(s->save);
	(void)pthread_mutex_lock(&s->lock);
	s->captured = true;
	(void)pthread_cond_broadcast(&s->cond);
	(void)pthread_mutex_unlock(&s->lock);
	if (r < 0) {
		*e = s->save->fault;
		(void)!ask(s, ASK_LET_GO, &s->save->fault);
	}
	return r;
}

static void ask_let_go(void *arg, bool pause)
{
	struct verr none = VERR_INIT;

	(void)!ask(arg, pause ? ASK_LET_GO_PAUSED : ASK_LET_GO, &none);
}

/* Changes are known since the last snapshot of this process, or the one it was restored from. */
static int check_base(struct snapshots *s, struct verr *e)
{
	uint8_t id[SNAPSHOT_ID];

	if (s->base == NULL)
		return 0;
	if (!s->tracks)
		return verr_invalid(e, "a difference needs --track-dirty on");
	if (machine_writes_unseen(s->machine))
		return verr_invalid(e, "what vhost-net writes to memory is not noted, so a "
				       "difference would lack it");
	if (!s->has_since)
		return verr_invalid(e, "there is no snapshot of this machine yet that could be "
				       "a base");
	if (snapshot_read_id(s->sandbox, s->base, id, e) < 0)
		return verr_note(e, "base %s", s->base);
	if (memcmp(id, s->since, sizeof(id)) != 0)
		return verr_invalid(e,
				    "base %s: changes are known since the last snapshot of this "
				    "machine, which it is not",
				    s->base);
	return 0;
}

/* A difference can be left out, for what is whole has it, too. */
static void choose_base(struct snapshots *s)
{
	struct verr e = VERR_INIT;

	if (!s->diff)
		return;
	s->base = s->last != NULL && s->depth < MEM_LAYERS_MAX ? strdup(s->last) : NULL;
	if (s->base == NULL || check_base(s, &e) < 0) {
		log_info(LOG_SNAPSHOT, "%s becomes a whole snapshot: %s", s->path,
			 s->base != NULL ? e.text : "it has no base");
		free(ptr_take(s->base));
	}
}

static void remember(struct snapshots *s, const struct save *save)
{
	free(s->last);
	s->last = strdup(s->path);
	s->depth = save->made.diff ? s->depth + 1 : 1;
	memcpy(s->since, save->made.id, sizeof(s->since));
	s->has_since = true;
}

static void make(struct snapshots *s)
{
	choose_base(s);

	struct save save = {.machine = s->machine,
			    .sandbox = s->sandbox,
			    .known = &s->known,
			    .cwd = s->cwd,
			    .path = s->path,
			    .memory = s->memory,
			    .base = s->base,
			    .prefer_whole = s->diff,
			    .stay_paused = s->stay_paused,
			    .tracks = s->tracks,
			    .since = s->since,
			    .end = &s->end,
			    .hold = ask_hold,
			    .let_go = ask_let_go,
			    .arg = s};

	s->save = &save;
	s->result = (struct verr)VERR_INIT;
	if (check_base(s, &s->result) == 0 && save_run(&save, &s->result) == 0)
		remember(s, &save);
	s->made = save.made;
	s->save = NULL;
}

static void *maker_main(void *arg)
{
	struct snapshots *s = arg;

	(void)prctl(PR_SET_NAME, "snapshot");
	sandbox_filter_thread(s->sandbox, SANDBOX_SNAPSHOT);
	(void)pthread_mutex_lock(&s->lock);
	while (!atomic_load(&s->end)) {
		if (!s->wanted) {
			(void)pthread_cond_wait(&s->cond, &s->lock);
			continue;
		}
		s->wanted = false;
		(void)pthread_mutex_unlock(&s->lock);
		make(s);
		loop_wake(&s->finished);
		(void)pthread_mutex_lock(&s->lock);
	}
	(void)pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* --- the loop's side --- */

/* The machine is held, and the loop stands still until its state has been taken. */
static int do_hold(struct snapshots *s)
{
	s->fault = (struct verr)VERR_INIT;
	return machine_hold(s->machine, &s->fault);
}

static void on_asked(void *arg)
{
	struct snapshots *s = arg;
	enum ask what;

	(void)pthread_mutex_lock(&s->lock);
	what = s->ask;
	s->answer = 0;
	if (what == ASK_HOLD)
		s->answer = do_hold(s);
	else if (what != ASK_NOTHING)
		machine_let_go(s->machine, what == ASK_LET_GO_PAUSED);
	s->ask = ASK_NOTHING;
	(void)pthread_cond_broadcast(&s->cond);
	while (what == ASK_HOLD && s->answer == 0 && !s->captured)
		(void)pthread_cond_wait(&s->cond, &s->lock);
	(void)pthread_mutex_unlock(&s->lock);
}

static void on_finished(void *arg)
{
	struct snapshots *s = arg;
	bool failed = s->result.kind != VERR_NONE;

	if (failed)
		log_warn(LOG_SNAPSHOT, "no snapshot %s: %s", s->path, s->result.text);
	else
		log_info(LOG_SNAPSHOT,
			 "snapshot %s: %llu KiB of memory, %llu of it in %llu us for which the "
			 "machine stood still",
			 s->path, (unsigned long long)(s->made.memory >> 10),
			 (unsigned long long)(s->made.while_held >> 10),
			 (unsigned long long)s->made.held_us);
	free(ptr_take(s->path));
	free(ptr_take(s->base));
	free(ptr_take(s->memory));
	s->busy = false;
	machine_saving(s->machine, false);
	s->done(s->arg, failed ? NULL : &s->made, failed ? &s->result : NULL);
}

int snapshots_new(struct machine *machine, const struct config *config, struct loop *loop,
		  struct sandbox *sandbox, struct snapshots **out, struct verr *e)
{
	struct snapshots *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return verr_host(e, "out of memory");
	s->machine = machine;
	s->loop = loop;
	s->sandbox = sandbox;
	s->tracks = config->track_dirty;
	s->asked = s->finished = (struct loop_source)LOOP_SOURCE_INIT;
	(void)pthread_mutex_init(&s->lock, NULL);
	(void)pthread_cond_init(&s->cond, NULL);
	s->cwd = getcwd(NULL, 0);
	*out = s;
	if (s->cwd == NULL)
		return verr_os(e, "the current folder");
	if (loop_wake_init(&s->asked, loop, on_asked, s, e) < 0 ||
	    loop_wake_init(&s->finished, loop, on_finished, s, e) < 0)
		return -1;
	if (sandbox != NULL)
		sandbox_reserve(sandbox, DESCRIPTORS);
	return 0;
}

int snapshots_follow(struct snapshots *s, const char *path, size_t depth,
		     const uint8_t id[static SNAPSHOT_ID], struct verr *e)
{
	s->last = strdup(path);
	if (s->last == NULL)
		return verr_host(e, "out of memory");
	s->depth = depth;
	memcpy(s->since, id, sizeof(s->since));
	s->has_since = true;
	return 0;
}

int snapshots_start(struct snapshots *s, struct verr *e)
{
	const struct thread_options options = {.main = maker_main, .arg = s, .stack = STACK_BYTES};

	if (thread_start(&s->thread, &options, e) < 0)
		return verr_note(e, "the thread for snapshots");
	s->started = true;
	return 0;
}

int snapshots_make(struct snapshots *s, const struct snapshot_wish *wish, snapshot_done_fn *done,
		   void *arg, struct verr *e)
{
	if (s->busy)
		return verr_state(e, "a snapshot of the machine is being made");
	s->path = strdup(wish->path);
	s->base = wish->base != NULL ? strdup(wish->base) : NULL;
	s->memory = wish->memory != NULL ? strdup(wish->memory) : NULL;
	if (s->path == NULL || (wish->memory != NULL && s->memory == NULL) ||
	    (wish->base != NULL && s->base == NULL)) {
		free(ptr_take(s->path));
		free(ptr_take(s->base));
		free(ptr_take(s->memory));
		return verr_host(e, "out of memory");
	}
	s->stay_paused = wish->stay_paused;
	s->diff = wish->diff;
	s->done = done;
	s->arg = arg;
	s->busy = true;
	machine_saving(s->machine, true);
	(void)pthread_mutex_lock(&s->lock);
	s->wanted = true;
	(void)pthread_cond_broadcast(&s->cond);
	(void)pthread_mutex_unlock(&s->lock);
	return 0;
}

struct snapshots *snapshots_free(struct snapshots *s)
{
	if (s == NULL)
		return NULL;
	(void)pthread_mutex_lock(&s->lock);
	atomic_store(&s->end, true);
	(void)pthread_cond_broadcast(&s->cond);
	(void)pthread_mutex_unlock(&s->lock);
	if (s->started)
		(void)pthread_join(s->thread, NULL);
	loop_source_deinit(&s->asked);
	loop_source_deinit(&s->finished);
	free(s->path);
	free(s->base);
	free(s->memory);
	free(s->last);
	free(s->cwd);
	(void)pthread_cond_destroy(&s->cond);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
	return NULL;
}
