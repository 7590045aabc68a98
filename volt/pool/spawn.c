/* SPDX-License-Identifier: Apache-2.0 */
/* A machine's volt-vmm: its command line, and the process. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "volt/pool/daemon.h"
#include "volt/pool/template.h"

/* The descriptor that --hold-fd names there. */
#define HOLD_FD 3
#define HOLD_TEXT "3"

#define OWN_WORDS 16

struct words {
	char **at; /* owned, and so is each */
	size_t count;
	bool failed;
};

static void put(struct words *w, char *word)
{
	w->failed |= word == NULL;
	if (word != NULL)
		w->at[w->count++] = word;
}

static void put_option(struct words *w, const char *option, const char *value)
{
	put(w, strdup(option));
	if (value != NULL)
		put(w, strdup(value));
}

static void free_words(struct words *w)
{
	for (size_t i = 0; i < w->count; i++)
		free(w->at[i]);
	free(w->at);
}

/* Ours come first, so that a guest's command may be the end; start.c refuses them among the others.
 */
static int make_words(const struct slot *s, struct words *w, struct verr *e)
{
	const struct pool_options *o = s->pool->options;

	w->at = calloc(OWN_WORDS + o->more_count + 1, sizeof(*w->at));
	if (w->at == NULL)
		return verr_host(e, "out of memory");
	put_option(w, "volt-vmm", NULL);
	if (o->restore != NULL) {
		put_option(w, "--restore", o->restore);
		put_option(w, "--paused", NULL);
	}
	put_option(w, "--api-socket", s->path);
	put_option(w, "--hold-fd", HOLD_TEXT);
	put_option(w, "--id", s->id);
	put_option(w, "--console", "none");
	for (size_t i = 0; i < o->more_count; i++)
		put(w, template_fill(o->more[i], s->number));
	return w->failed ? verr_host(e, "out of memory") : 0;
}

/*
 * In a session of its own: neither a terminal's Ctrl-C nor its end is for the machines, which may
 * live longer than the pool. Signals are as they were before the daemon took some.
 */
static int set_up(posix_spawn_file_actions_t *files, posix_spawnattr_t *attributes, int hold,
		  int said)
{
	sigset_t none, usual;
	int r = 0;

	(void)sigemptyset(&none);
	(void)sigemptyset(&usual);
	(void)sigaddset(&usual, SIGPIPE);
	r |= posix_spawn_file_actions_addopen(files, STDIN_FILENO, "/dev/null", O_RDWR, 0);
	r |= posix_spawn_file_actions_adddup2(files, STDIN_FILENO, STDOUT_FILENO);
	r |= posix_spawn_file_actions_adddup2(files, said, STDERR_FILENO);
	r |= posix_spawn_file_actions_adddup2(files, hold, HOLD_FD);
	r |= posix_spawnattr_setsigmask(attributes, &none);
	r |= posix_spawnattr_setsigdefault(attributes, &usual);
	r |= posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
							  POSIX_SPAWN_SETSIGDEF);
	return r == 0 ? 0 : -1;
}

extern char **environ;

int spawn(const struct slot *s, int hold, int said, pid_t *pid, struct verr *e)
{
	const char *vmm = s->pool->options->vmm;
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	struct words words = {0};
	int r;

	if (make_words(s, &words, e) < 0) {
		free_words(&words);
		return -1;
	}
	(void)posix_spawn_file_actions_init(&files);
	(void)posix_spawnattr_init(&attributes);
	r = set_up(&files, &attributes, hold, said) < 0
		    ? ENOMEM
		    : posix_spawn(pid, vmm, &files, &attributes, words.at, environ);
	(void)posix_spawn_file_actions_destroy(&files);
	(void)posix_spawnattr_destroy(&attributes);
	free_words(&words);
	if (r != 0) {
		errno = r;
		return verr_os(e, "start %s", vmm);
	}
	return 0;
}
