/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/recipe.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/own.h"
#include "cli/beside.h"

/* Beside the program: as installed ($PREFIX/bin), and as built (build/bin or build/volt). */
static const char *const places[] = {
	"/../share/volt/kernel/build",
	"/../../kernel/build",
};

int recipe_find(char *out, size_t size, struct verr *e)
{
	const char *named = getenv("VOLT_KERNEL_RECIPE");
	char own[PATH_MAX];

	if (named != NULL && *named != '\0') {
		if ((size_t)snprintf(out, size, "%s", named) >= size || access(out, X_OK) < 0)
			return verr_invalid_os(e, "VOLT_KERNEL_RECIPE: cannot run %s", named);
		return 0;
	}
	if (beside_folder(own, sizeof(own), e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if ((size_t)snprintf(out, size, "%s%s", own, places[i]) < size &&
		    access(out, X_OK) == 0)
			return 0;
	return verr_not_found(e,
			      "the kernel's recipe is neither in %s/../share/volt/kernel nor in a "
			      "source tree around: install Volt, or set VOLT_KERNEL_RECIPE to its "
			      "kernel/build",
			      own);
}

/* In the child: become the recipe, which ends when this program does. */
static void become_recipe(const char *recipe, const char *output, int stdout_fd)
{
	char *argv[] = {(char *)(uintptr_t)recipe, NULL, (char *)(uintptr_t)output, NULL};
	char minus_o[] = "-o";

	if (output != NULL)
		argv[1] = minus_o;
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	(void)signal(SIGINT, SIG_DFL);
	if (dup2(stdout_fd, STDOUT_FILENO) >= 0)
		(void)execv(recipe, argv);
	fprintf(stderr, "volt kernel build: %s: %s\n", recipe, strerror(errno));
	_exit(126);
}

/* Everything it says, of which the last line is the folder. */
static void read_answer(int fd, char *out, size_t size)
{
	size_t used = 0;
	char *line;

	for (;;) {
		ssize_t n;

		if (used == size - 1) /* keep the end */
			used = 0;
		n = read(fd, out + used, size - 1 - used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		used += (size_t)n;
	}
	while (used > 0 && out[used - 1] == '\n')
		used--;
	out[used] = '\0';
	line = strrchr(out, '\n');
	if (line != NULL)
		memmove(out, line + 1, strlen(line));
}

static int wait_for(pid_t child, struct verr *e)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return verr_os(e, "wait for the kernel's recipe");
	if (WIFSIGNALED(status))
		return verr_host(e, "the kernel's recipe was ended by signal %d", WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		return verr_host(e, "the kernel's recipe failed with status %d",
				 WEXITSTATUS(status));
	return 0;
}

int recipe_run(const char *recipe, const char *output, char *folder, size_t size, struct verr *e)
{
	auto_fd from = -1, to = -1;
	int ends[2], r;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return verr_os(e, "make a pipe");
	from = ends[0];
	to = ends[1];
	/* Ctrl-C is for the recipe: it clears what it began, and its end is reported then. */
	(void)signal(SIGINT, SIG_IGN);
	child = fork();
	if (child == 0)
		become_recipe(recipe, output, to);
	fd_close(&to);
	if (child < 0) {
		r = verr_os(e, "run %s", recipe);
	} else {
		read_answer(from, folder, size);
		r = wait_for(child, e);
	}
	(void)signal(SIGINT, SIG_DFL);
	if (r == 0 && folder[0] != '/')
		return verr_host(e, "%s names no folder with a kernel in it", recipe);
	return r;
}
