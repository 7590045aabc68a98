/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/signals.h"

#include <stddef.h>
#include <time.h>

/* As the programs that send them count; musl begins at 35, keeping one more for itself. */
#define RTMIN_OF_SENDERS 34

static const struct signal_row {
	int signo;
	enum signal_action action;
} rows[] = {
	{SIGCHLD, SIGNAL_REAP},
	{SIGINT, SIGNAL_POWER_OFF},
	{SIGTERM, SIGNAL_RESTART},
	{SIGUSR1, SIGNAL_POWER_OFF},
	{SIGUSR2, SIGNAL_POWER_OFF},
	{SIGPWR, SIGNAL_POWER_OFF},
	{RTMIN_OF_SENDERS + 3, SIGNAL_POWER_OFF},
	{RTMIN_OF_SENDERS + 4, SIGNAL_POWER_OFF},
	{RTMIN_OF_SENDERS + 5, SIGNAL_RESTART},
	{RTMIN_OF_SENDERS + 6, SIGNAL_RESTART},
	{SIGIO, SIGNAL_INITCTL},
	{SIGHUP, SIGNAL_FORWARD},
	{SIGQUIT, SIGNAL_FORWARD},
	{SIGWINCH, SIGNAL_FORWARD},
	{SIGCONT, SIGNAL_FORWARD},
};

static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS};

enum signal_action signals_action(int signo)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].signo == signo)
			return rows[i].action;
	}
	return SIGNAL_IGNORE;
}

static void all_but_faults(sigset_t *set)
{
	sigfillset(set);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		sigdelset(set, faults[i]);
}

void signals_block(void)
{
	sigset_t set;

	all_but_faults(&set);
	(void)sigprocmask(SIG_SETMASK, &set, NULL);
}

void signals_unblock(void)
{
	sigset_t set;

	sigemptyset(&set);
	(void)sigprocmask(SIG_SETMASK, &set, NULL);
}

int signals_wait(void)
{
	sigset_t set;
	int signo;

	all_but_faults(&set);
	do
		signo = sigwaitinfo(&set, NULL);
	while (signo < 0);
	return signo;
}

void signals_wait_child(long milliseconds)
{
	struct timespec limit = {
		.tv_sec = milliseconds / 1000,
		.tv_nsec = milliseconds % 1000 * 1000000,
	};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	(void)sigtimedwait(&set, NULL, &limit);
}
