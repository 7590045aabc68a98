/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/interrupt.h"

#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>

static volatile sig_atomic_t came;

static const int watched[] = {SIGINT, SIGTERM, SIGHUP};

static void note(int number)
{
	came = number;
}

void interrupt_watch(void)
{
	struct sigaction now = {.sa_handler = note}, before;

	for (size_t i = 0; i < ARRAY_LEN(watched); i++) {
		/* What whoever started us has turned off (nohup) stays off. */
		if (sigaction(watched[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
			(void)sigaction(watched[i], &now, NULL);
	}
}

int interrupt_pending(void)
{
	return came;
}

bool interrupt_wait(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	sigset_t held, before;
	bool ready = false;

	(void)sigemptyset(&held);
	for (size_t i = 0; i < ARRAY_LEN(watched); i++)
		(void)sigaddset(&held, watched[i]);
	/* One that comes after the look at `came` ends the wait. */
	(void)sigprocmask(SIG_BLOCK, &held, &before);
	while (came == 0 && !ready)
		ready = ppoll(&p, 1, NULL, &before) >= 0 || errno != EINTR;
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	return ready;
}

int interrupt_check(struct verr *e)
{
	return came != 0 ? verr_host(e, "ended by signal %d (%s)", came, strsignal(came)) : 0;
}

void interrupt_obey(void)
{
	if (came == 0)
		return;
	(void)signal(came, SIG_DFL);
	(void)raise(came);
}
