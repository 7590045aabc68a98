/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/main/signals.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "vmm/devices/console.h"
#include "vmm/machine/machine.h"
#include "vmm/sandbox/sandbox.h"

struct signals {
	enum signals_manner manner;
	int deadly; /* the signal that ended all; 0: none */
	struct machine *machine;
	loop_fn *report, *quit;
	void *report_arg, *quit_arg;
	struct loop_source source;
	int fd;
};

/*
 * A signal handler has no argument: the terminal it must restore is the one thing here that is
 * the process's and not a machine's.
 */
static const struct console *volatile fatal_console;

/* So is how it ends, which is set before any handler is, and with what status where the host fails.
 */
static enum signals_manner fatal_manner;
static volatile int fatal_status = 1;

/* Statuses that Firecracker has for signals that end it. */
static const struct {
	int number, status;
} statuses[] = {{SIGSYS, 148},  {SIGBUS, 149}, {SIGSEGV, 150},
		{SIGXCPU, 154}, {SIGHUP, 156}, {SIGILL, 157}};

static int status_of(int number)
{
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
		if (statuses[i].number == number)
			return statuses[i].status;
	return 0;
}

static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS};

/*
 * The host has taken memory away. No mistake of ours, and nothing that a guest can do: guest memory
 * that is mapped from a snapshot's file goes when somebody makes that shorter, or it cannot be
 * read.
 */
static void explain_bus_error(const siginfo_t *info)
{
	if (info->si_code == BUS_MCEERR_AR || info->si_code == BUS_MCEERR_AO)
		log_error(LOG_MAIN, "the host's memory is broken at %p", info->si_addr);
	else
		log_error(LOG_MAIN,
			  "memory could not be had from the host: the file that it is mapped from, "
			  "a snapshot's or a store's, has become shorter or cannot be read");
}

/*
 * The handler is gone once it is called (SA_RESETHAND), so that what happens again is fatal: a
 * fault does when this returns, and what came from outside is sent once more. But not that of
 * SIGSYS: of two captured threads the second would end the process before the first has said
 * anything.
 */
static void on_fatal(int number, siginfo_t *info, void *context)
{
	bool taken_away = number == SIGBUS && info->si_code > 0;

	if (number == SIGSYS)
		sandbox_explain(info, context);
	console_restore(fatal_console);
	if (taken_away)
		explain_bus_error(info);
	if (fatal_manner == SIGNALS_AS_FIRECRACKER && status_of(number) != 0)
		_exit(status_of(number));
	if (taken_away)
		_exit(fatal_status);
	if (number == SIGSYS) {
		sandbox_die(); /* without a filter there is another way */
		(void)signal(number, SIG_DFL);
	}
	if (info->si_code <= 0)
		(void)raise(number);
}

/* Leave alone what somebody (a sanitizer) has taken already. */
static void catch_fatal(void)
{
	struct sigaction action = {.sa_sigaction = on_fatal}, old;

	for (size_t i = 0; i < ARRAY_LEN(fatal); i++) {
		action.sa_flags = SA_NODEFER | SA_SIGINFO;
		if (fatal[i] != SIGSYS)
			action.sa_flags |= (int)SA_RESETHAND;
		if (sigaction(fatal[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
			(void)sigaction(fatal[i], &action, NULL);
	}
}

static void die(struct signals *s, uint32_t number)
{
	s->deadly = (int)number;
	log_info(LOG_MAIN, "signal %u", number);
	if (s->machine != NULL)
		machine_kill(s->machine);
	else
		s->quit(s->quit_arg);
}

static bool is_deadly(const struct signals *s, uint32_t number)
{
	return s->manner == SIGNALS_AS_FIRECRACKER && number != SIGCONT && number != SIGUSR1;
}

static void act(struct signals *s, uint32_t number)
{
	switch (number) {
	case SIGCONT:
		console_resume(machine_console(s->machine));
		break;
	case SIGUSR1:
		s->report(s->report_arg);
		break;
	case SIGQUIT:
		machine_kill(s->machine);
		break;
	default:
		machine_stop(s->machine);
		break;
	}
}

static void on_signal(void *arg)
{
	struct signals *s = arg;
	struct signalfd_siginfo info;

	while ((s->machine != NULL || s->quit != NULL) &&
	       read(s->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		if (is_deadly(s, info.ssi_signo))
			die(s, info.ssi_signo);
		else if (s->machine != NULL)
			act(s, info.ssi_signo);
		else if (info.ssi_signo != SIGCONT && info.ssi_signo != SIGUSR1)
			s->quit(s->quit_arg);
}

int signals_new(struct loop *loop, enum signals_manner manner, struct signals **out, struct verr *e)
{
	struct signals *s = calloc(1, sizeof(*s));
	sigset_t mask;

	if (s == NULL)
		return verr_host(e, "out of memory");
	s->manner = fatal_manner = manner;
	s->source = (struct loop_source)LOOP_SOURCE_INIT;
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	catch_fatal();
	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGTERM);
	(void)sigaddset(&mask, SIGINT);
	(void)sigaddset(&mask, SIGHUP);
	(void)sigaddset(&mask, SIGQUIT);
	(void)sigaddset(&mask, SIGUSR1);
	(void)sigaddset(&mask, SIGCONT);
	if (manner == SIGNALS_AS_FIRECRACKER)
		(void)sigaddset(&mask, SIGXCPU);
	(void)sigprocmask(SIG_BLOCK, &mask, NULL);
	s->fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->fd < 0) {
		(void)verr_os(e, "create a signalfd");
		(void)signals_free(s);
		return -1;
	}
	if (loop_fd_init(&s->source, loop, s->fd, LOOP_READ, on_signal, s, e) < 0) {
		(void)signals_free(s);
		return -1;
	}
	*out = s;
	return 0;
}

void signals_watch(struct signals *s, struct machine *machine, int failed, loop_fn *report,
		   void *arg)
{
	fatal_status = failed;
	s->machine = machine;
	s->quit = NULL;
	s->report = report;
	s->report_arg = arg;
	fatal_console = machine_console(machine);
	loop_enable(&s->source);
}

void signals_wait(struct signals *s, loop_fn *quit, void *arg)
{
	s->quit = quit;
	s->quit_arg = arg;
	loop_enable(&s->source);
}

void signals_forget(struct signals *s)
{
	fatal_console = NULL;
	if (s != NULL) {
		s->machine = NULL;
		s->quit = NULL;
	}
}

int signals_deadly(const struct signals *s)
{
	return s != NULL ? s->deadly : 0;
}

int signals_die(int number)
{
	sigset_t mask;

	if (status_of(number) != 0)
		return status_of(number);
	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, number);
	(void)sigprocmask(SIG_UNBLOCK, &mask, NULL);
	(void)raise(number);
	return 128 + number; /* its parent has it ignored */
}

struct signals *signals_free(struct signals *s)
{
	if (s != NULL) {
		loop_source_deinit(&s->source);
		fd_close(&s->fd);
		free(s);
	}
	return NULL;
}
