/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/machine/iothread.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/thread.h"

#define STACK_BYTES KIB(128)

static void on_end(void *arg)
{
	loop_stop(((struct iothread *)arg)->loop);
}

int iothread_new(struct iothread **out, struct verr *e)
{
	struct iothread *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return verr_host(e, "out of memory");
	t->end = (struct loop_source)LOOP_SOURCE_INIT;
	if (loop_new(&t->loop, e) < 0 || loop_wake_init(&t->end, t->loop, on_end, t, e) < 0) {
		(void)iothread_free(t);
		return -1;
	}
	*out = t;
	return 0;
}

static void *iothread_main(void *arg)
{
	struct iothread *t = arg;
	struct verr e = VERR_INIT;

	thread_set_name("io");
	sandbox_filter_thread(t->sandbox, SANDBOX_WORKER);
	if (loop_run(t->loop, &e) < 0)
		log_error(LOG_MACHINE, "an I/O thread ends: %s", e.text);
	return NULL;
}

int iothread_start(struct iothread *t, struct sandbox *sandbox, struct verr *e)
{
	const struct thread_options options = {
		.main = iothread_main, .arg = t, .stack = STACK_BYTES};

	t->sandbox = sandbox;
	if (thread_start(&t->thread, &options, e) < 0)
		return verr_note(e, "I/O thread");
	t->started = true;
	return 0;
}

void iothread_stop(struct iothread *t)
{
	if (!t->started)
		return;
	loop_wake(&t->end);
	(void)pthread_join(t->thread, NULL);
	t->started = false;
}

struct iothread *iothread_free(struct iothread *t)
{
	if (t != NULL) {
		loop_source_deinit(&t->end);
		if (t->loop != NULL)
			t->loop = loop_free(t->loop);
		free(t);
	}
	return NULL;
}
