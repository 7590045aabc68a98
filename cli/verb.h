/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a verb of a command is: its names, its options and what it does, in one row. Help texts and
 * the reading of the command line come from the rows; main.c has the list of all verbs.
 */
#ifndef VOLT_CLI_VERB_H
#define VOLT_CLI_VERB_H

#include <stddef.h>

#include "base/verr.h"

/* Exit statuses. A verb that answers a question by its status says so in its help. */
#define STATUS_OK 0
#define STATUS_FAILED 1
#define STATUS_USAGE 2

struct verb_option {
	const char *name;  /* without the dashes */
	char letter;       /* its short form, or 0 */
	const char *value; /* placeholder in help; NULL: a flag */
	const char *help;
};

#define VERB_OPTIONS_MAX 12

/* An option as it was given. */
struct verb_given {
	size_t row;
	const char *value;
};

struct verb_args {
	const char *options[VERB_OPTIONS_MAX]; /* by row of the verb's options; NULL: not given */
	const struct verb_given *given;        /* `given_count` of them, in order: the same row */
	size_t given_count;                    /* may come several times */
	const char **operands;                 /* `count` of them */
	size_t count;
};

/* Returns the exit status, or -1 for a fault. */
typedef int verb_fn(const struct verb_args *args, struct verr *e);

struct verb {
	const char *name;
	const char *summary; /* one line, lower case, no full stop */
	const char *about;   /* more for --help: whole lines; or NULL */

	/* Either verbs of its own: */
	const struct verb *const *verbs;
	size_t verbs_count;

	/* or something to do: */
	verb_fn *run;
	const struct verb_option *options;
	size_t options_count;
	const char *operands; /* "[FILE]"; NULL: takes none */
	size_t operands_min, operands_max;
};

/* Run the verb that argv[0] names. `path` is how the user called it, as "volt kernel". */
int verb_main(const struct verb *verb, const char *path, int argc, char *const argv[]);

/*
 * What a program's main() does: run the verb that the command line names, or print the version.
 * Returns the exit status; an answer that nobody got on stdout is a failure.
 */
int verb_program(const struct verb *root, const char *version, int argc, char *const argv[]);

/* A line on stderr about work that takes a while, where somebody watches: a terminal. */
void verb_progress(const char *fmt, ...) V_PRINTF(1, 2);

#endif
