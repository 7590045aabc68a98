/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/spawn.h"

#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rootfs/volt-init/console.h"
#include "rootfs/volt-init/signals.h"
#include "rootfs/volt-init/status.h"

#define SPAWN_STACK ((size_t)64 << 10)

enum spawn_step { SPAWN_USER, SPAWN_CWD, SPAWN_EXEC };

/* Shared by PID 1 and the new process, which uses PID 1's memory until it executes the program. */
struct spawn {
	struct workload *workload;
	const struct user *user;
	struct port port;
	enum spawn_step failed;
	int err; /* why; 0 once the program executes */
};

static bool become(const struct user *user)
{
	return setgroups(user->ngroups, user->groups) == 0 && setgid(user->gid) == 0 &&
	       setuid(user->uid) == 0;
}

/* Returns only on failure. */
static void prepare_and_execute(struct spawn *spawn)
{
	struct workload *workload = spawn->workload;

	console_take(spawn->user->uid);
	spawn->failed = SPAWN_USER;
	if (workload->user && !become(spawn->user))
		return;
	spawn->failed = SPAWN_CWD;
	if (workload->cwd && chdir(workload->cwd) < 0)
		return;
	spawn->failed = SPAWN_EXEC;
	(void)umask(022);
	signals_unblock();
	environ = workload->envp; /* where the C library looks for PATH */
	port_mark(&spawn->port, VOLT_MARK_WORKLOAD);
	port_close(&spawn->port);
	if (workload->shell)
		(void)execv(WORKLOAD_SHELL, workload->argv);
	else
		(void)execvp(workload->argv[0], workload->argv);
}

static int child(void *argument)
{
	struct spawn *spawn = argument;

	prepare_and_execute(spawn);
	spawn->err = errno;
	_exit(VOLT_STATUS_FAILED);
}

static int explain(const struct spawn *spawn, struct why *why)
{
	const struct workload *workload = spawn->workload;
	const char *err = strerror(spawn->err);

	switch (spawn->failed) {
	case SPAWN_USER:
		return why_set(why, "the workload cannot become user \"%.64s\": %s", workload->user,
			       err);
	case SPAWN_CWD:
		return why_set(why, "the workload cannot enter %.128s: %s", workload->cwd, err);
	case SPAWN_EXEC:
		break;
	}
	if (workload->shell && status_from_exec(spawn->err) == VOLT_STATUS_NOT_FOUND)
		return why_set(why, "nothing to run: no command was given, there is no command in "
				    "/etc/volt/init.json, and no " WORKLOAD_SHELL);
	return why_set(why, "cannot execute \"%.128s\": %s", workload->argv[0], err);
}

int spawn_workload(struct run *run, struct workload *workload, const struct user *user,
		   const struct port *port, struct why *why)
{
	_Alignas(16) char stack[SPAWN_STACK];
	struct spawn spawn = {.workload = workload, .user = user, .port = *port};

	/*
	 * Without a copy of the address space, and PID 1 stands still until the program executes:
	 * it has nothing else to do, and what went wrong is in "spawn" when this returns.
	 */
	pid_t pid = clone(child, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, &spawn);
	if (pid < 0) {
		run->status = VOLT_STATUS_FAILED;
		return why_set(why, "cannot make a process: %s", strerror(errno));
	}
	if (spawn.err == 0) {
		run->pid = pid;
		return 0;
	}
	(void)waitpid(pid, NULL, 0);
	run->status = spawn.failed == SPAWN_EXEC ? status_from_exec(spawn.err) : VOLT_STATUS_FAILED;
	return explain(&spawn, why);
}
