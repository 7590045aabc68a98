/* SPDX-License-Identifier: Apache-2.0 */
/* What PID 1 is to run, and as whom. */
#ifndef VOLT_INIT_WORKLOAD_H
#define VOLT_INIT_WORKLOAD_H

#include <stddef.h>
#include <stdbool.h>

#include "rootfs/volt-init/why.h"

/* More than a kernel command line of 2,048 bytes can hold. */
#define WORKLOAD_ARGS 1024
#define WORKLOAD_ENV 256

#define WORKLOAD_SHELL "/bin/sh"

/* Every pointer is into memory of the caller's that lives until the workload is executed. */
struct workload {
	size_t argc;
	size_t envc;
	const char *user; /* a name, UID or UID:GID; NULL is root */
	const char *cwd;  /* NULL is "/" */
	bool shell;       /* nothing was asked for: an interactive shell */
	char *argv[WORKLOAD_ARGS + 1];
	char *envp[WORKLOAD_ENV + 1];
};

/* Empties it. The arrays stay untouched beyond their end marks: most of their pages are never used.
 */
void workload_init(struct workload *workload);

int workload_add_arg(struct workload *workload, char *arg, struct why *why);

bool workload_has_env(const struct workload *workload, const char *entry);

/* Adds "NAME=VALUE", in the place of the one that has the same name. */
int workload_put_env(struct workload *workload, char *entry, struct why *why);

/*
 * What the kernel gave PID 1 (NAME=VALUE on its command line) goes over what the image says, as it
 * was asked for this very start; but for the kernel's own HOME=/ and TERM=linux, which mean
 * nothing.
 */
int workload_put_environ(struct workload *workload, char **environment, struct why *why);

/* What a program expects to find, each where it is not set yet: PATH, HOME="home" and TERM. */
struct workload_defaults {
	char home[256];
};
int workload_add_defaults(struct workload *workload, struct workload_defaults *defaults,
			  const char *home, struct why *why);

/* An interactive shell, where no command was given. */
int workload_add_shell(struct workload *workload, struct why *why);

#endif
