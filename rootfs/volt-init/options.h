/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel command line, as far as it is meant for volt-init. */
#ifndef VOLT_INIT_OPTIONS_H
#define VOLT_INIT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "contract/workload.h"

/* What is read of /proc/cmdline: a boot configuration adds to what the loader gave the kernel. */
#define OPTIONS_LINE ((size_t)2 * VOLT_CMDLINE_SIZE)

/* More than fit in there. */
#define OPTIONS_ENV 384

/* Addresses; more are left out. */
#define OPTIONS_IP 16

/* "interface" is NULL for the first there is. */
struct ip_option {
	char *interface;
	char *value;
};

enum root_mode { ROOT_AS_IT_IS, ROOT_RO, ROOT_RW };

/* Strings are NULL where they are not given. Of each the last one counts, as for the kernel. */
struct options {
	bool debug;          /* volt.debug: say each step */
	enum root_mode mode; /* ro, rw */
	char *root;          /* root= and the next three: as the kernel has them */
	char *rootfstype;
	char *rootflags;
	char *init;
	char *hostname; /* volt.hostname= */
	char *user;     /* volt.user= */
	char *cwd;      /* volt.cwd= */
	size_t ipc;
	struct ip_option ip[OPTIONS_IP]; /* volt.ip=VALUE, volt.ip.INTERFACE=VALUE */
	size_t envc;
	char *env[OPTIONS_ENV]; /* volt.env.NAME=VALUE: "NAME=VALUE" */
	char *workload;         /* what follows "--", still to be cut into words */
};

/*
 * Takes the options out of "line", at most OPTIONS_LINE bytes, which it cuts up and which must live
 * as long as the result. Words that are not volt-init's are the kernel's, or nobody's: they are
 * passed over.
 */
void options_parse(struct options *options, char *line);

/*
 * Cuts the next word off *at, in place, as the kernel does: blanks separate, except between double
 * quotes, and the quotes go. NULL at the end.
 */
char *options_word(char **at);

#endif
