/* SPDX-License-Identifier: Apache-2.0 */
/* What a host has to confine volt-vmm with. */
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/own.h"
#include "vmm/sandbox/sandbox.h"
#include "volt/check.h"

/* The first ABI that also covers truncation (3), TCP ports (4), ioctls on devices (5), signals (6).
 */
#define LANDLOCK_ABI_FULL 6

void check_landlock(struct check_context *c, struct finding *f)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	(void)c;
	if (abi >= LANDLOCK_ABI_FULL)
		check_ok(f, "ABI %ld: volt-vmm can shut itself out of the file system", abi);
	else if (abi > 0)
		check_limited(f, "Linux 6.12 or newer has ABI 6",
			      "ABI %ld: files and folders are covered, but not %s", abi,
			      abi < 3   ? "truncation, TCP ports, ioctls on devices and signals"
			      : abi < 4 ? "TCP ports, ioctls on devices and signals"
			      : abi < 5 ? "ioctls on devices and signals"
					: "signals to other processes");
	else if (errno == EOPNOTSUPP)
		check_missing(f, "add landlock to lsm= on the host's kernel command line",
			      "Landlock is built in but switched off: one layer of the sandbox "
			      "is lost");
	else
		check_missing(f, "Linux 5.13 or newer with CONFIG_SECURITY_LANDLOCK=y",
			      "no Landlock (%s): one layer of the sandbox is lost",
			      strerror(errno));
}

void check_seccomp(struct check_context *c, struct finding *f)
{
	unsigned action = SECCOMP_RET_KILL_PROCESS;

	(void)c;
	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0)
		check_ok(f, "filters are there: volt-vmm can limit its own system calls");
	else
		check_missing(f, "Linux 4.14 or newer with CONFIG_SECCOMP_FILTER=y",
			      "no seccomp filters (%s): one layer of the sandbox is lost",
			      strerror(errno));
}

/*
 * What a child reports: an errno below 128, with USERNS_STAGE set when the user namespace was made
 * but gave no power in it, which is what a security module does to the unprivileged.
 */
#define USERNS_STAGE 128

static int try_namespaces(void)
{
	if (unshare(CLONE_NEWUSER) < 0)
		return errno & (USERNS_STAGE - 1);
	if (unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC) < 0)
		return USERNS_STAGE | (errno & (USERNS_STAGE - 1));
	return 0;
}

static void explain_no_namespaces(struct finding *f, int status)
{
	const char *why = strerror(status & (USERNS_STAGE - 1));

	if ((status & USERNS_STAGE) != 0)
		check_missing(f, "sysctl kernel.apparmor_restrict_unprivileged_userns=0",
			      "a user namespace has no capabilities in it (%s): no sandbox by "
			      "namespaces without root",
			      why);
	else if (status == ENOSPC)
		check_missing(f, "sysctl user.max_user_namespaces=10000",
			      "the limit of user namespaces is reached or 0: no sandbox by "
			      "namespaces without root");
	else
		check_missing(f,
			      "sysctl kernel.unprivileged_userns_clone=1, where there is such; "
			      "in a container or chroot, ask whoever runs it",
			      "no user namespaces (%s): no sandbox by namespaces without root",
			      why);
}

void check_user_namespaces(struct check_context *c, struct finding *f)
{
	pid_t child = fork();
	int status;

	(void)c;
	if (child == 0)
		_exit(try_namespaces());
	if (child < 0 || waitpid(child, &status, 0) < 0 || !WIFEXITED(status))
		check_missing(f, "", "cannot be tried: %s", strerror(errno));
	else if (WEXITSTATUS(status) == 0)
		check_ok(f, "volt-vmm can have namespaces of its own");
	else
		explain_no_namespaces(f, WEXITSTATUS(status));
}

/* What a child reports that has gone through with all of it. */
struct sandbox_report {
	char in_force[SANDBOX_TEXT], refused[SANDBOX_TEXT];
};

static int try_sandbox(int out)
{
	struct sandbox_report r = {{0}, {0}};
	struct sandbox *sandbox = NULL;
	struct config config;
	struct verr e = VERR_INIT;
	int status;

	config_init(&config);
	if (sandbox_begin(&config, &sandbox, &status, &e) != 0 || sandbox_enter(sandbox, &e) < 0 ||
	    sandbox_filter_main(sandbox, &e) < 0)
		(void)snprintf(r.refused, sizeof(r.refused), "%.500s", e.text);
	else
		sandbox_describe(sandbox, r.in_force, r.refused);
	return write(out, &r, sizeof(r)) == (ssize_t)sizeof(r) ? 0 : 1;
}

void check_sandbox(struct check_context *c, struct finding *f)
{
	struct sandbox_report r;
	auto_fd in = -1, out = -1;
	int fds[2], status;
	pid_t child = -1;
	ssize_t n = -1;

	(void)c;
	if (pipe2(fds, O_CLOEXEC) == 0) {
		in = fds[0];
		out = fds[1];
		child = fork();
	}
	if (child == 0)
		_exit(try_sandbox(out));
	fd_close(&out);
	if (child > 0) {
		n = read(in, &r, sizeof(r));
		(void)waitpid(child, &status, 0);
	}
	if (n != (ssize_t)sizeof(r))
		check_missing(f, "", "the sandbox cannot be tried");
	else if (r.refused[0] == '\0')
		check_ok(f, "all of it is in force here: %.240s", r.in_force);
	else
		check_limited(f, "the lines above say what would help",
			      "in force here: %.140s; not: %.140s", r.in_force, r.refused);
}
