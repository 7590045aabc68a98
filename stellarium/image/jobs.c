/* SPDX-License-Identifier: Apache-2.0 */
#include "stellarium/image/jobs.h"

#include <sched.h>
#include <stdlib.h>

#include "base/thread.h"

#define THREADS_MAX 32
#define STACK KIB(256)

struct jobs {
	pthread_mutex_t lock;
	pthread_cond_t work, done;
	struct jobs_item *first, **last;
	bool ending;
	struct jobs_thread {
		struct jobs *jobs;
		pthread_t thread;
		struct chunk_codec *codec;
	} threads[THREADS_MAX];
	unsigned int count;
};

static void *thread_main(void *arg)
{
	struct jobs_thread *t = arg;
	struct jobs *p = t->jobs;

	(void)pthread_mutex_lock(&p->lock);
	while (!p->ending) {
		struct jobs_item *job = p->first;

		if (job == NULL) {
			(void)pthread_cond_wait(&p->work, &p->lock);
			continue;
		}
		p->first = job->next;
		if (p->first == NULL)
			p->last = &p->first;
		(void)pthread_mutex_unlock(&p->lock);
		job->run(job, t->codec);
		(void)pthread_mutex_lock(&p->lock);
		job->done = true;
		(void)pthread_cond_broadcast(&p->done);
	}
	(void)pthread_mutex_unlock(&p->lock);
	return NULL;
}

static int start_thread(struct jobs *p, struct verr *e)
{
	struct jobs_thread *t = &p->threads[p->count];
	const struct thread_options options = {.main = thread_main, .arg = t, .stack = STACK};

	t->jobs = p;
	if (chunk_codec_new(&t->codec, e) < 0)
		return -1;
	if (thread_start(&t->thread, &options, e) < 0) {
		t->codec = chunk_codec_free(t->codec);
		return -1;
	}
	p->count++;
	return 0;
}

int jobs_start(struct jobs **out, struct verr *e)
{
	struct jobs *p = calloc(1, sizeof(*p));
	cpu_set_t set;
	int cpus = 1;

	if (p == NULL)
		return verr_host(e, "out of memory");
	(void)pthread_mutex_init(&p->lock, NULL);
	(void)pthread_cond_init(&p->work, NULL);
	(void)pthread_cond_init(&p->done, NULL);
	p->last = &p->first;
	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		cpus = CPU_COUNT(&set);
	for (int i = 0; i < MIN(cpus, THREADS_MAX); i++) {
		if (start_thread(p, e) < 0) {
			(void)jobs_stop(p);
			return -1;
		}
	}
	*out = p;
	return 0;
}

struct jobs *jobs_stop(struct jobs *p)
{
	if (p == NULL)
		return NULL;
	(void)pthread_mutex_lock(&p->lock);
	p->ending = true;
	(void)pthread_cond_broadcast(&p->work);
	(void)pthread_mutex_unlock(&p->lock);
	for (unsigned int i = 0; i < p->count; i++) {
		(void)pthread_join(p->threads[i].thread, NULL);
		(void)chunk_codec_free(p->threads[i].codec);
	}
	(void)pthread_cond_destroy(&p->done);
	(void)pthread_cond_destroy(&p->work);
	(void)pthread_mutex_destroy(&p->lock);
	free(p);
	return NULL;
}

void jobs_submit(struct jobs *p, struct jobs_item *job)
{
	job->next = NULL;
	job->done = false;
	(void)pthread_mutex_lock(&p->lock);
	*p->last = job;
	p->last = &job->next;
	(void)pthread_cond_signal(&p->work);
	(void)pthread_mutex_unlock(&p->lock);
}

void jobs_wait(struct jobs *p, struct jobs_item *job)
{
	(void)pthread_mutex_lock(&p->lock);
	while (!job->done)
		(void)pthread_cond_wait(&p->done, &p->lock);
	(void)pthread_mutex_unlock(&p->lock);
}
