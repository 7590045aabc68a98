/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/verb.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"

#define PATH_TEXT 128

static bool is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static void print_option(const struct verb_option *o)
{
	char left[64], letter[8] = "";

	if (o->letter != 0)
		(void)snprintf(letter, sizeof(letter), "-%c, ", o->letter);
	(void)snprintf(left, sizeof(left), "%s--%s%s%s", letter, o->name, o->value ? " " : "",
		       o->value ? o->value : "");
	printf("  %-22s %s\n", left, o->help);
}

static void print_summary(const struct verb *v)
{
	printf("%c%s.\n", toupper((unsigned char)v->summary[0]), v->summary + 1);
}

static void print_verbs(const struct verb *v, const char *path)
{
	printf("Usage: %s VERB [ARGUMENT...]\n", path);
	print_summary(v);
	printf("\nVerbs:\n");
	for (size_t i = 0; i < v->verbs_count; i++)
		printf("  %-10s %s\n", v->verbs[i]->name, v->verbs[i]->summary);
	if (v->about != NULL)
		printf("\n%s", v->about);
	printf("\n%s VERB --help says more about one.\n", path);
}

static void print_help(const struct verb *v, const char *path)
{
	static const struct verb_option help = {.name = "help", .letter = 'h', .help = "this text"};

	if (v->verbs != NULL) {
		print_verbs(v, path);
		return;
	}
	printf("Usage: %s [OPTION...]%s%s\n", path, v->operands ? " " : "",
	       v->operands ? v->operands : "");
	print_summary(v);
	if (v->about != NULL)
		printf("\n%s", v->about);
	printf("\nOptions:\n");
	for (size_t i = 0; i < v->options_count; i++)
		print_option(&v->options[i]);
	print_option(&help);
}

/* The row of "--name", "--name=VALUE" or "-l"; `*value` is what follows "=", or NULL. */
static const struct verb_option *find_option(const struct verb *v, const char *word,
					     const char **value)
{
	const char *equals = strchr(word, '=');
	size_t len = equals != NULL ? (size_t)(equals - word) : strlen(word);

	*value = equals != NULL ? equals + 1 : NULL;
	for (size_t i = 0; i < v->options_count; i++) {
		const struct verb_option *o = &v->options[i];

		if (len == 2 && o->letter != 0 && word[1] == o->letter)
			return o;
		if (len > 2 && word[1] == '-' && strlen(o->name) == len - 2 &&
		    strncmp(o->name, word + 2, len - 2) == 0)
			return o;
	}
	return NULL;
}

/* Take the option at argv[*i], and its value where that is the next word. */
static int take_option(const struct verb *v, int argc, char *const argv[], int *i,
		       struct verb_args *args, struct verb_given *given, struct verr *e)
{
	const char *word = argv[*i], *value;
	const struct verb_option *o = find_option(v, word, &value);

	if (o == NULL)
		return verr_invalid(e, "%s: unknown option; see --help", word);
	if (o->value == NULL && value != NULL)
		return verr_invalid(e, "%s: takes no value", word);
	if (o->value != NULL && value == NULL) {
		if (*i + 1 >= argc)
			return verr_invalid(e, "%s: expected a value: %s", word, o->value);
		value = argv[++*i];
	}
	if (o->value != NULL && *value == '\0')
		return verr_invalid(e, "--%s: must not be empty", o->name);
	value = value != NULL ? value : "";
	args->options[o - v->options] = value;
	given[args->given_count++] =
		(struct verb_given){.row = (size_t)(o - v->options), .value = value};
	return 0;
}

enum parse_result { PARSE_RUN, PARSE_HELP, PARSE_FAULT };

static enum parse_result parse(const struct verb *v, int argc, char *const argv[],
			       struct verb_args *args, struct verb_given *given, struct verr *e)
{
	bool options = true;

	for (int i = 1; i < argc; i++) {
		const char *word = argv[i];

		if (options && strcmp(word, "--") == 0) {
			options = false;
		} else if (options && is_help(word)) {
			return PARSE_HELP;
		} else if (options && word[0] == '-' && word[1] != '\0') {
			if (take_option(v, argc, argv, &i, args, given, e) < 0)
				return PARSE_FAULT;
		} else {
			args->operands[args->count++] = word;
		}
	}
	if (args->count < v->operands_min)
		(void)verr_invalid(e, "expected %s; see --help", v->operands);
	else if (args->count > v->operands_max)
		(void)verr_invalid(e, "%s: one argument too many; see --help",
				   args->operands[v->operands_max]);
	return e->kind == VERR_NONE ? PARSE_RUN : PARSE_FAULT;
}

static int report_fault(const char *path, const struct verr *e)
{
	fprintf(stderr, "%s: %s\n", path, e->text);
	return e->kind == VERR_INVALID || e->kind == VERR_NOT_FOUND ? STATUS_USAGE : STATUS_FAILED;
}

static int run_leaf(const struct verb *v, const char *path, int argc, char *const argv[])
{
	auto_free const char **operands = calloc((size_t)argc + 1, sizeof(*operands));
	auto_free struct verb_given *given = calloc((size_t)argc + 1, sizeof(*given));
	struct verb_args args = {.operands = operands, .given = given};
	struct verr e = VERR_INIT;
	int status = -1;

	if (operands == NULL || given == NULL) {
		(void)verr_host(&e, "out of memory");
		return report_fault(path, &e);
	}
	switch (parse(v, argc, argv, &args, given, &e)) {
	case PARSE_HELP:
		print_help(v, path);
		return STATUS_OK;
	case PARSE_RUN:
		status = v->run(&args, &e);
		break;
	case PARSE_FAULT:
		break;
	}
	return status < 0 ? report_fault(path, &e) : status;
}

int verb_main(const struct verb *v, const char *path, int argc, char *const argv[])
{
	char longer[PATH_TEXT];

	if (v->verbs == NULL)
		return run_leaf(v, path, argc, argv);
	if (argc < 2) {
		fprintf(stderr, "%s: expected a verb; see %s --help\n", path, path);
		return STATUS_USAGE;
	}
	if (is_help(argv[1])) {
		print_help(v, path);
		return STATUS_OK;
	}
	for (size_t i = 0; i < v->verbs_count; i++) {
		if (strcmp(v->verbs[i]->name, argv[1]) != 0)
			continue;
		(void)snprintf(longer, sizeof(longer), "%s %s", path, argv[1]);
		return verb_main(v->verbs[i], longer, argc - 1, argv + 1);
	}
	fprintf(stderr, "%s: %s: unknown verb; see %s --help\n", path, argv[1], path);
	return STATUS_USAGE;
}

/*
 * A standard descriptor that whoever started us closed must not become one of our files, for our
 * lines would go there. Read-only: writing to it fails, as it should.
 */
static void fill_standard_fds(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		(void)close(fd);
}

int verb_program(const struct verb *root, const char *version, int argc, char *const argv[])
{
	int status = STATUS_OK;

	fill_standard_fds();
	if (argc == 2 && strcmp(argv[1], "--version") == 0)
		printf("%s %s\n", root->name, version);
	else
		status = verb_main(root, root->name, argc, argv);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "%s: standard output: %s\n", root->name, strerror(errno));
		return status == STATUS_OK ? STATUS_FAILED : status;
	}
	return status;
}

void verb_progress(const char *fmt, ...)
{
	va_list ap;

	if (!isatty(STDERR_FILENO))
		return;
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
}
