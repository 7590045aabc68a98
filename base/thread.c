/* SPDX-License-Identifier: Apache-2.0 */
#include "base/thread.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>

static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS};

static _Thread_local char name_of_this[16] = "main";

void thread_set_name(const char *name)
{
	(void)snprintf(name_of_this, sizeof(name_of_this), "%s", name);
	(void)prctl(PR_SET_NAME, name_of_this);
}

const char *thread_name(void)
{
	return name_of_this;
}

int thread_start(pthread_t *out, const struct thread_options *o, struct verr *e)
{
	sigset_t mask, before;
	pthread_attr_t attr;
	int error;

	(void)sigfillset(&mask);
	for (size_t i = 0; i < ARRAY_LEN(faults); i++)
		(void)sigdelset(&mask, faults[i]);
	if (o->signal != 0)
		(void)sigdelset(&mask, o->signal);
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, o->stack);
	/* A thread inherits the mask: so there is no moment in which it has another. */
	(void)pthread_sigmask(SIG_SETMASK, &mask, &before);
	error = pthread_create(out, &attr, o->main, o->arg);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)pthread_attr_destroy(&attr);
	if (error == 0)
		return 0;
	errno = error;
	return verr_os(e, "create a thread");
}
