/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the tests: become volt-debug, with a tracer beside it that writes which rows of profile.def
 * its calls are, each once, and which calls are in none. The tracer is the child, so that whoever
 * started us sees the monitor's own process.
 *
 *	count-rows FILE volt-debug ARGUMENT...
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/sandbox/filter.h"

#define ROWS_MAX 1024
#define EVENT(status) ((unsigned)(status) >> 16)

static void name_thread(pid_t tid, char *name, size_t size)
{
	char path[64];
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/comm", tid);
	file = fopen(path, "re");
	if (file == NULL || fgets(name, (int)size, file) == NULL)
		(void)snprintf(name, size, "?\n");
	if (file != NULL)
		(void)fclose(file);
}

/* Written before the call is made: nobody need wait for the tracer to end. */
static void count(pid_t tid, FILE *out)
{
	static bool seen[ROWS_MAX];
	struct user_regs_struct regs;
	unsigned long row = FILTER_NO_ROW;
	char name[32];

	/* Somebody has ended it meanwhile. */
	if (ptrace(PTRACE_GETEVENTMSG, tid, NULL, &row) < 0)
		return;
	if (row < ROWS_MAX) {
		if (!seen[row])
			fprintf(out, "row %lu\n", row);
		seen[row] = true;
	} else {
		if (ptrace(PTRACE_GETREGS, tid, NULL, &regs) < 0)
			return;
		name_thread(tid, name, sizeof(name));
		fprintf(out, "none %llu %llx %llx %llx %s", regs.orig_rax, regs.rdi, regs.rsi,
			regs.rdx, name);
	}
	(void)fflush(out);
}

static void go_on(pid_t tid, int status, FILE *out)
{
	int number = WSTOPSIG(status);

	if (EVENT(status) == PTRACE_EVENT_SECCOMP)
		count(tid, out);
	if (EVENT(status) == PTRACE_EVENT_STOP &&
	    (number == SIGSTOP || number == SIGTSTP || number == SIGTTIN || number == SIGTTOU)) {
		(void)ptrace(PTRACE_LISTEN, tid, NULL, NULL);
		return;
	}
	/* Other events are the tracer's own; the rest are signals for the monitor. */
	(void)ptrace(PTRACE_CONT, tid, NULL, EVENT(status) != 0 ? 0 : number);
}

static int trace(pid_t monitor, FILE *out, int ready)
{
	const long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK;
	int status;
	pid_t tid;

	if (ptrace(PTRACE_SEIZE, monitor, NULL, options) < 0)
		return 1;
	/* The monitor's standard streams end with it. */
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		(void)close(fd);
	(void)!write(ready, "x", 1);
	(void)close(ready);
	while ((tid = waitpid(-1, &status, __WALL)) > 0)
		if (WIFSTOPPED(status))
			go_on(tid, status, out);
	return 0;
}

int main(int argc, char *argv[])
{
	pid_t monitor = getpid(), tracer;
	int ready[2];
	FILE *out;
	char byte;

	if (argc < 3)
		return 2;
	out = fopen(argv[1], "ae");
	if (out == NULL || pipe2(ready, O_CLOEXEC) < 0)
		return 2;
	tracer = fork();
	if (tracer == 0) {
		(void)close(ready[0]);
		(void)setsid();
		_exit(trace(monitor, out, ready[1]));
	}
	(void)close(ready[1]);
	(void)prctl(PR_SET_PTRACER, tracer, 0, 0, 0);
	if (read(ready[0], &byte, 1) != 1)
		return 2;
	(void)setenv("VOLT_DEBUG_ROWS", "1", 1);
	(void)execv(argv[2], argv + 2);
	return 127;
}
