/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/firecracker/arguments.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/config/config.h"
#include "vmm/firecracker/firecracker.h"

#define ID_MAX 64

enum arg_type { ARG_TEXT, ARG_NUMBER, ARG_FLAG };

struct arg {
	const char *flag, *value, *text_default, *refusal, *help;
	enum arg_type type;
	size_t offset;
};

static const struct arg args[] = {
#define ARG(flag, field, type, value, text_default, refusal, help) \
	{flag, value, text_default, refusal, help, ARG_##type, offsetof(struct fc_args, field)},
#include "vmm/firecracker/arguments.def"
#undef ARG
};

bool fc_args_is_ours(const char *argv0)
{
	const char *slash = argv0 != NULL ? strrchr(argv0, '/') : NULL;

	return argv0 != NULL && strcmp(slash != NULL ? slash + 1 : argv0, "firecracker") == 0;
}

/* The row of "--flag" or "--flag=VALUE". */
static const struct arg *find(const char *word)
{
	size_t len = strncmp(word, "--", 2) == 0 ? strcspn(word, "=") - 2 : 0;

	for (size_t i = 0; len > 0 && i < ARRAY_LEN(args); i++)
		if (strlen(args[i].flag) == len && strncmp(args[i].flag, word + 2, len) == 0)
			return &args[i];
	return NULL;
}

static int parse_number(const char *text, struct fc_number *out)
{
	char *end;

	if (*text < '0' || *text > '9')
		return -1;
	errno = 0;
	out->value = strtoull(text, &end, 10);
	out->given = true;
	return errno != 0 || *end != '\0' ? -1 : 0;
}

static int set(struct fc_args *c, const struct arg *a, const char *value, struct verr *e)
{
	void *field = (char *)c + a->offset;

	if (a->type == ARG_FLAG)
		*(bool *)field = true;
	else if (a->type == ARG_TEXT)
		*(const char **)field = value;
	else if (parse_number(value, field) < 0)
		return verr_invalid(e, "--%s %s: expected a whole number", a->flag, value);
	return 0;
}

/* The value of a flag, which may be the next word; "": it takes none. NULL after a fault. */
static const char *value_of(const struct arg *a, int argc, char *const argv[], int *i,
			    struct verr *e)
{
	const char *equals = strchr(argv[*i], '=');

	if (a->type == ARG_FLAG) {
		if (equals == NULL)
			return "";
		(void)verr_invalid(e, "--%s takes no value", a->flag);
		return NULL;
	}
	if (equals != NULL)
		return equals + 1;
	/* A word that begins as flags do is one, and the value was forgotten. */
	if (*i + 1 < argc && strncmp(argv[*i + 1], "--", 2) != 0)
		return argv[++*i];
	(void)verr_invalid(e, "--%s: expected a value: %s", a->flag, a->value);
	return NULL;
}

static int parse_words(struct fc_args *c, bool *given, int argc, char *const argv[], struct verr *e)
{
	for (int i = 1; i < argc; i++) {
		const struct arg *a = find(argv[i]);
		const char *value;

		if (a == NULL)
			return verr_invalid(e, "%s: unknown argument", argv[i]);
		if (given[a - args])
			return verr_invalid(e, "--%s is given twice", a->flag);
		given[a - args] = true;
		value = value_of(a, argc, argv, &i, e);
		if (value == NULL || set(c, a, value, e) < 0)
			return -1;
		if (a->refusal != NULL)
			return verr_invalid(e, "--%s: %s", a->flag, a->refusal);
	}
	return 0;
}

static int check(const struct fc_args *c, struct verr *e)
{
	size_t len = strlen(c->id);

	if (len == 0 || len > ID_MAX ||
	    strspn(c->id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") != len)
		return verr_invalid(e, "--id %s: expected 1 to %d of A-Z a-z 0-9 -", c->id, ID_MAX);
	if (c->no_api && c->config_file == NULL)
		return verr_invalid(e, "--no-api: needs --config-file");
	return 0;
}

static bool has_word(int argc, char *const argv[], const char *word)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], word) == 0)
			return true;
	return false;
}

int fc_args_parse(struct fc_args *out, int argc, char *const argv[], struct verr *e)
{
	bool given[ARRAY_LEN(args)] = {false};

	*out = (struct fc_args){.help = has_word(argc, argv, "--help"),
				.version = has_word(argc, argv, "--version")};
	if (out->help || out->version)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(args); i++)
		if (args[i].text_default != NULL && set(out, &args[i], args[i].text_default, e) < 0)
			return -1;
	if (has_word(argc, argv, "--no-seccomp") && has_word(argc, argv, "--seccomp-filter"))
		return verr_invalid(e, "--seccomp-filter and --no-seccomp exclude each other");
	return parse_words(out, given, argc, argv, e) < 0 ? -1 : check(out, e);
}

/* --- to settings --- */

static int set_setting(struct config *config, const char *flag, const char *value, struct verr *e)
{
	for (size_t i = 0; i < settings_count; i++)
		if (strcmp(settings[i].flag, flag) == 0)
			return setting_set_text(config, &settings[i], value, e);
	return verr_invalid(e, "%s: no such setting", flag);
}

int fc_args_apply(const struct fc_args *c, struct config *config, struct verr *e)
{
	if (!c->no_api && set_setting(config, "api-socket", c->api_sock, e) < 0)
		return verr_note(e, "--api-sock");
	if (c->no_seccomp && set_setting(config, "sandbox-skip", "seccomp", e) < 0)
		return verr_note(e, "--no-seccomp");
	return set_setting(config, "id", c->id, e) < 0 ? verr_note(e, "--id") : 0;
}

void fc_args_print_version(void)
{
	printf("Firecracker v" FIRECRACKER_VERSION "\n\n");
}

void fc_args_print_help(void)
{
	char left[64];

	fc_args_print_version();
	printf("Usage: firecracker [--FLAG [VALUE]]...\n"
	       "Volt, as Firecracker's clients know it. Flags, with defaults in brackets; "
	       "--flag=VALUE works, too:\n");
	for (size_t i = 0; i < ARRAY_LEN(args); i++) {
		const struct arg *a = &args[i];

		(void)snprintf(left, sizeof(left), "--%s%s%s", a->flag, a->value != NULL ? " " : "",
			       a->value != NULL ? a->value : "");
		printf("  %-33s %s", left, a->help);
		if (a->refusal != NULL)
			printf(": %s", a->refusal);
		if (a->text_default != NULL)
			printf(" [%s]", a->text_default);
		printf("\n");
	}
}
