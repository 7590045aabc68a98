/* SPDX-License-Identifier: Apache-2.0 */
#include "base/thread.h"

#include <errno.h>
#include <signal.h>

static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS};

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
