/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/program.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/own.h"
#include "base/sys.h"

#define USUAL_FOLDERS "/usr/bin:/bin"
#define ADMIN_FOLDERS "/usr/local/sbin:/usr/sbin:/sbin"
#define COMPLAINT_BYTES 512
#define LIMIT_MS 60000

static bool find_in(const char *folders, const char *name, char *path, size_t size)
{
	for (const char *at = folders; *at != '\0';) {
		size_t len = strcspn(at, ":");

		if ((size_t)snprintf(path, size, "%.*s/%s", (int)len, at, name) < size &&
		    access(path, X_OK) == 0)
			return true;
		at += len + (at[len] == ':');
	}
	return false;
}

bool program_find(const char *name, char *path, size_t size)
{
	const char *folders = getenv("PATH");

	return find_in(folders != NULL ? folders : USUAL_FOLDERS, name, path, size) ||
	       find_in(ADMIN_FOLDERS, name, path, size);
}

bool program_user_name(uint32_t uid, char *name, size_t size)
{
	auto_fclose *f = fopen("/etc/passwd", "re");
	const struct passwd *p = NULL;

	while (f != NULL && (p = fgetpwent(f)) != NULL && p->pw_uid != uid)
		;
	return p != NULL && (size_t)snprintf(name, size, "%s", p->pw_name) < size;
}

/* A pipe's ends, both closed on exec. */
struct ends {
	int read, write;
};

static int open_pipe(struct ends *p)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	*p = (struct ends){.read = fds[0], .write = fds[1]};
	return 0;
}

static void close_pipe(struct ends *p)
{
	fd_close(&p->read);
	fd_close(&p->write);
}

struct run {
	struct ends in, out, err;
	pid_t child;
	uint64_t end; /* until when it may take */
};

/* What a child writes, as far as it fits. */
struct output {
	int fd; /* -1: it has ended */
	char *text;
	size_t size, len;
};

/* What does not fit is read all the same, so that nobody waits. */
static void take(struct output *o)
{
	bool full = o->len + 1 >= o->size;
	char rest[4096];
	ssize_t n = full ? read(o->fd, rest, sizeof(rest))
			 : read(o->fd, o->text + o->len, o->size - 1 - o->len);

	if (n > 0)
		o->len += full ? 0 : (size_t)n;
	else if (n == 0 || errno != EINTR)
		o->fd = -1;
}

/* Both to their ends, and at once: a child that writes much waits for a reader. */
static bool read_both(struct output *a, struct output *b, uint64_t end)
{
	while (a->fd >= 0 || b->fd >= 0) {
		struct pollfd p[] = {{.fd = a->fd, .events = POLLIN},
				     {.fd = b->fd, .events = POLLIN}};
		uint64_t now = sys_now_ns();

		if (now >= end)
			return false;
		if (poll(p, ARRAY_LEN(p), (int)((end - now) / 1000000 + 1)) <= 0)
			continue;
		if (p[0].revents != 0)
			take(a);
		if (p[1].revents != 0)
			take(b);
	}
	return true;
}

static void terminate(struct output *o)
{
	if (o->size > 0)
		o->text[o->len] = '\0';
}

/* The last line of a text. */
static const char *last_line(char *text)
{
	size_t len = strlen(text);
	char *at;

	while (len > 0 && text[len - 1] == '\n')
		text[--len] = '\0';
	at = strrchr(text, '\n');
	return at != NULL ? at + 1 : text;
}

/*
 * With a group of its own, to be ended with all that it has started, and not by the terminal: on
 * Ctrl-C it is for us to say what is done to its end. It reads nothing from there.
 */
static void become(const struct run *r, const char *path, const char *const argv[])
{
	(void)setpgid(0, 0);
	(void)signal(SIGPIPE, SIG_DFL);
	if (dup2(r->in.read, STDIN_FILENO) >= 0 && dup2(r->out.write, STDOUT_FILENO) >= 0 &&
	    dup2(r->err.write, STDERR_FILENO) >= 0 && setenv("LC_ALL", "C", 1) == 0)
		(void)execv(path, (char *const *)(uintptr_t)argv);
	_exit(126);
}

static int give_input(struct run *r, const char *name, const char *input, struct verr *e)
{
	size_t len = input != NULL ? strlen(input) : 0;

	if (len > PIPE_BUF)
		return verr_host(e, "too much to say to %s", name);
	if (len > 0 && write(r->in.write, input, len) != (ssize_t)len)
		return verr_os(e, "write to %s", name);
	fd_close(&r->in.write);
	return 0;
}

static int follow(struct run *r, const char *name, char *out, size_t size, struct verr *e)
{
	char complaint[COMPLAINT_BYTES];
	struct output said = {.fd = r->out.read, .text = out, .size = size};
	struct output complained = {
		.fd = r->err.read, .text = complaint, .size = sizeof(complaint)};
	bool ended;
	int status;

	fd_close(&r->out.write);
	fd_close(&r->err.write);
	ended = read_both(&said, &complained, r->end);
	terminate(&said);
	terminate(&complained);
	if (!ended)
		(void)kill(-r->child, SIGKILL);
	while (waitpid(r->child, &status, 0) < 0)
		if (errno != EINTR)
			return verr_os(e, "wait for %s", name);
	if (!ended)
		return verr_host(e, "%s did not end in time", name);
	if (WIFSIGNALED(status))
		return verr_host(e, "%s was ended by signal %d", name, WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		return verr_host(e, "%s failed with status %d%s%s", name, WEXITSTATUS(status),
				 complaint[0] != '\0' ? ": " : "", last_line(complaint));
	return 0;
}

static int run(struct run *r, const char *path, const char *const argv[], const char *input,
	       char *out, size_t size, struct verr *e)
{
	if (open_pipe(&r->in) < 0 || open_pipe(&r->out) < 0 || open_pipe(&r->err) < 0)
		return verr_os(e, "create a pipe");
	/* Before the child is there, which so needs not wait, and into a pipe that has a reader. */
	if (give_input(r, argv[0], input, e) < 0)
		return -1;
	r->child = fork();
	if (r->child < 0)
		return verr_os(e, "run %s", argv[0]);
	if (r->child == 0)
		become(r, path, argv);
	(void)setpgid(r->child, r->child); /* whichever of the two comes first */
	return follow(r, argv[0], out, size, e);
}

int program_run_within(unsigned ms, const char *const argv[], const char *input, char *out,
		       size_t size, struct verr *e)
{
	struct run r = {.in = {-1, -1},
			.out = {-1, -1},
			.err = {-1, -1},
			.end = sys_now_ns() + ms * UINT64_C(1000000)};
	char path[PATH_MAX];
	int result;

	if (!program_find(argv[0], path, sizeof(path)))
		return verr_host(e, "%s is not there", argv[0]);
	result = run(&r, path, argv, input, out, size, e);
	close_pipe(&r.in);
	close_pipe(&r.out);
	close_pipe(&r.err);
	return result;
}

int program_run(const char *const argv[], const char *input, char *out, size_t size, struct verr *e)
{
	return program_run_within(LIMIT_MS, argv, input, out, size, e);
}
