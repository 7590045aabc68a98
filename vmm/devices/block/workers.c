/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/devices/block/workers.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/thread.h"
#include "vmm/sandbox/sandbox.h"

#define STACK_BYTES KIB(256) /* expanding and hashing chunks takes some */

struct workers {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct job *first, **last; /* lock */
	bool end;                  /* lock */
	struct sandbox *sandbox;
	unsigned wanted, count;
	pthread_t threads[];
};

static struct job *take(struct workers *w)
{
	struct job *job;

	(void)pthread_mutex_lock(&w->lock);
	while (w->first == NULL && !w->end)
		(void)pthread_cond_wait(&w->more, &w->lock);
	job = w->first;
	if (job != NULL) {
		w->first = job->next;
		if (w->first == NULL)
			w->last = &w->first;
	}
	(void)pthread_mutex_unlock(&w->lock);
	return job;
}

static void *worker_main(void *arg)
{
	struct workers *w = arg;
	struct job *job;

	thread_set_name("worker");
	sandbox_filter_thread(w->sandbox, SANDBOX_WORKER);
	while ((job = take(w)) != NULL)
		job->run(job);
	return NULL;
}

int workers_start(struct workers *w, struct sandbox *sandbox, struct verr *e)
{
	const struct thread_options options = {.main = worker_main, .arg = w, .stack = STACK_BYTES};

	w->sandbox = sandbox;
	for (; w->count < w->wanted; w->count++)
		if (thread_start(&w->threads[w->count], &options, e) < 0)
			return verr_note(e, "worker %u", w->count);
	return 0;
}

bool workers_running(const struct workers *w)
{
	return w->count > 0;
}

int workers_new(unsigned threads, struct workers **out, struct verr *e)
{
	struct workers *w = calloc(1, sizeof(*w) + threads * sizeof(w->threads[0]));

	if (w == NULL)
		return verr_host(e, "out of memory");
	(void)pthread_mutex_init(&w->lock, NULL);
	(void)pthread_cond_init(&w->more, NULL);
	w->last = &w->first;
	w->wanted = threads;
	*out = w;
	return 0;
}

struct workers *workers_free(struct workers *w)
{
	if (w == NULL)
		return NULL;
	(void)pthread_mutex_lock(&w->lock);
	w->end = true;
	(void)pthread_cond_broadcast(&w->more);
	(void)pthread_mutex_unlock(&w->lock);
	for (unsigned i = 0; i < w->count; i++)
		(void)pthread_join(w->threads[i], NULL);
	(void)pthread_cond_destroy(&w->more);
	(void)pthread_mutex_destroy(&w->lock);
	free(w);
	return NULL;
}

void workers_add(struct workers *w, struct job *job)
{
	job->next = NULL;
	(void)pthread_mutex_lock(&w->lock);
	*w->last = job;
	w->last = &job->next;
	(void)pthread_mutex_unlock(&w->lock);
	/* Not under the lock, which whoever wakes takes first. */
	(void)pthread_cond_signal(&w->more);
}
