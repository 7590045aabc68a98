/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/debian.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/own.h"
#include "cli/interrupt.h"
#include "volt/program.h"

#define PROGRAM "mmdebstrap"
#define REMEDY "apt-get install mmdebstrap uidmap"
#define ARGS_MAX 10
#define LINE_MAX_LEN 512

static bool is_there(const char *program)
{
	char path[PATH_MAX];

	return program_find(program, path, sizeof(path));
}

/* Has that file a line of that user's? */
static bool has_range(const char *path, const char *user)
{
	auto_fclose *f = fopen(path, "re");
	char line[LINE_MAX_LEN];
	size_t len = strlen(user);

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, user, len) == 0 && line[len] == ':')
			return true;
	return false;
}

/* Does the kernel let this process have these namespaces? Returns errno, or 0. */
static int try_unshare(int flags)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		return errno;
	if (child == 0)
		_exit(unshare(flags) == 0 ? 0 : errno);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

/* What an ordinary user needs. */
static int check_user(struct verr *e)
{
	static const char *const files[] = {"/etc/subuid", "/etc/subgid"};
	char user[128];

	if (!is_there("newuidmap") || !is_there("newgidmap"))
		return verr_host(e, "newuidmap is not there: " REMEDY);
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (program_user_name(getuid(), user, sizeof(user)) && !has_range(files[i], user))
			return verr_host(e,
					 "%s has no line for %s: sudo usermod --add-subuids "
					 "100000-165535 --add-subgids 100000-165535 %s",
					 files[i], user, user);
	errno = try_unshare(CLONE_NEWUSER);
	if (errno != 0)
		return verr_os(e, "this host lets ordinary users have no user namespaces: build as "
				  "root, or from a tar (--from)");
	return 0;
}

/* No option of mmdebstrap's, and no file or "-" for its standard input. */
static int check_word(const char *name, const char *text, const char *more, struct verr *e)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

	if (*text == '-' || *text == '/' || *text == '.')
		return verr_invalid(e, "--%s: %.100s: expected a name", name, text);
	for (const char *at = text; *at != '\0'; at++)
		if (strchr(plain, *at) == NULL && strchr(more, *at) == NULL)
			return verr_invalid(e, "--%s: no \"%c\" is allowed", name, *at);
	return 0;
}

int debian_check(const struct debian *d, struct verr *e)
{
	if (check_word("suite", d->suite, "-._", e) < 0)
		return -1;
	if (d->include != NULL && check_word("include", d->include, "-._+,:=~/", e) < 0)
		return -1;
	if (d->mirror != NULL &&
	    (strstr(d->mirror, "://") == NULL || strchr(d->mirror, ' ') != NULL))
		return verr_invalid(e, "--mirror: expected a URL, as http://deb.debian.org/debian");
	if (!is_there(PROGRAM))
		return verr_host(e, PROGRAM " is not there: " REMEDY);
	return geteuid() == 0 ? 0 : check_user(e);
}

/*
 * As an ordinary user everything happens in a user namespace. Root's needs none; but the packages'
 * scripts, which run as root, are kept from the host's processes and mounts where that is allowed.
 */
static const char *choose_mode(void)
{
	const int flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC;

	return geteuid() != 0 || try_unshare(flags) == 0 ? "--mode=unshare" : "--mode=root";
}

/* In the child: become mmdebstrap, which ends when this program does. */
static void become_mmdebstrap(const struct debian *d, int fd)
{
	char include[LINE_MAX_LEN * 8];
	const char *argv[ARGS_MAX] = {PROGRAM, choose_mode(), "--variant=minbase", "--format=tar"};
	size_t n = 4;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (!isatty(STDERR_FILENO))
		argv[n++] = "--quiet";
	(void)snprintf(include, sizeof(include), "--include=%s", d->include ? d->include : "");
	if (d->include != NULL)
		argv[n++] = include;
	argv[n++] = d->suite;
	argv[n++] = "-";
	if (d->mirror != NULL)
		argv[n++] = d->mirror;
	argv[n] = NULL;
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	/* All that it starts is told at once to end, and by us alone. */
	(void)setpgid(0, 0);
	if (null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(fd, STDOUT_FILENO) >= 0)
		(void)execvp(argv[0], (char *const *)(uintptr_t)argv);
	fprintf(stderr, "volt rootfs build: " PROGRAM ": %s\n", strerror(errno));
	_exit(126);
}

/*
 * An interrupt goes on to the child, whose end is waited for: it clears what it began. As SIGTERM,
 * because what a shell has started in the background ignores SIGINT.
 */
static int wait_for(pid_t child, struct verr *e)
{
	auto_fd fd = pidfd_open(child, 0);
	int status;

	if (fd >= 0 && !interrupt_wait(fd))
		(void)kill(-child, SIGTERM);
	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			return verr_os(e, "wait for " PROGRAM);
		(void)kill(-child, SIGTERM);
	}
	if (interrupt_check(e) < 0)
		return -1;
	if (WIFSIGNALED(status))
		return verr_host(e, PROGRAM " was ended by signal %d", WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		return verr_host(e, PROGRAM " failed with status %d", WEXITSTATUS(status));
	return 0;
}

int debian_write_tar(const struct debian *d, int fd, struct verr *e)
{
	pid_t child = fork();

	if (child < 0)
		return verr_os(e, "run " PROGRAM);
	if (child == 0)
		become_mmdebstrap(d, fd);
	(void)setpgid(child, child); /* whichever of the two comes first */
	return wait_for(child, e);
}
