/* SPDX-License-Identifier: Apache-2.0 */
/* The command line, and --help. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/sys.h"
#include "vmm/config/config.h"

#define CONFIG_FILE_MAX KIB(1024)

/* One flag of the command line; several are applied after the file beneath them is read. */
struct arg {
	const struct setting *setting;
	const char *value;
};

static const struct setting *find_flag(const char *flag, size_t len)
{
	for (size_t i = 0; i < settings_count; i++)
		if (strlen(settings[i].flag) == len && strncmp(settings[i].flag, flag, len) == 0)
			return &settings[i];
	return NULL;
}

/* Split argv[*i] (and its value in the next word) into a setting, which it returns, and a value. */
static const struct setting *parse_flag(int argc, char *const argv[], int *i, const char **value,
					struct verr *e)
{
	const char *word = argv[*i], *equals = strchr(word, '=');
	size_t len = equals != NULL ? (size_t)(equals - word) : strlen(word);
	const struct setting *s = NULL;

	if (strcmp(word, "-h") == 0)
		word = "--help", len = strlen(word);
	if (strcmp(word, "-p") == 0)
		word = "--publish", len = strlen(word);
	if (len < 3 || strncmp(word, "--", 2) != 0) {
		(void)verr_invalid(e, "%s: expected an option; the guest's command goes after --",
				   word);
		return NULL;
	}
	s = find_flag(word + 2, len - 2);
	if (s == NULL) {
		(void)verr_invalid(e, "%.*s: unknown option; see --help", (int)len, word);
		return NULL;
	}
	if (s->type == SETTING_FLAG && equals == NULL) {
		*value = "on";
	} else if (s->type == SETTING_FLAG) {
		(void)verr_invalid(e, "%s: takes no value", word);
		return NULL;
	} else if (equals != NULL) {
		*value = equals + 1;
	} else if (*i + 1 < argc) {
		*value = argv[++*i];
	} else {
		(void)verr_invalid(e, "%s: expected a value: %s", word, s->values);
		return NULL;
	}
	return s;
}

static int copy_workload(struct config *c, int argc, char *const argv[], struct verr *e)
{
	if (argc == 0)
		return verr_invalid(e, "--: expected the guest's command after it");
	c->workload = calloc((size_t)argc + 1, sizeof(*c->workload));
	if (c->workload == NULL)
		return verr_host(e, "out of memory");
	for (int i = 0; i < argc; i++) {
		c->workload[i] = strdup(argv[i]);
		if (c->workload[i] == NULL)
			return verr_host(e, "out of memory");
	}
	return 0;
}

static int read_config_file(struct config *c, const char *path, struct verr *e)
{
	auto_free char *text = NULL;
	uint64_t size = 0;
	auto_fd fd = sys_open_input(path, &size, e);

	if (fd < 0)
		return verr_note(e, "--config-file");
	if (size > CONFIG_FILE_MAX)
		return verr_invalid(e, "--config-file %s: %llu bytes, at most %llu", path,
				    (unsigned long long)size, (unsigned long long)CONFIG_FILE_MAX);
	text = malloc(size + 1);
	if (text == NULL)
		return verr_host(e, "--config-file %s: out of memory", path);
	if (sys_pread_full(fd, text, size, 0, e) < 0)
		return verr_note(e, "--config-file %s", path);
	return config_parse_json(c, text, size, path, e);
}

/* The last --config-file counts, as of every flag. */
static const char *config_file_of(const struct arg *args, size_t count)
{
	const char *path = NULL;

	for (size_t i = 0; i < count; i++)
		if (strcmp(args[i].setting->key, "config_file") == 0)
			path = args[i].value;
	return path;
}

/* Read the words before "--", whose index `*end` becomes; after a fault it is a word's before it.
 */
static int parse_flags(struct arg *args, size_t *count, int argc, char *const argv[], int *end,
		       struct verr *e)
{
	*count = 0;
	for (*end = 1; *end < argc && strcmp(argv[*end], "--") != 0; ++*end) {
		struct arg *arg = &args[(*count)++];

		arg->setting = parse_flag(argc, argv, end, &arg->value, e);
		if (arg->setting == NULL)
			return -1;
	}
	return 0;
}

static int apply_flags(struct config *c, const struct arg *args, size_t count, struct verr *e)
{
	const char *path = config_file_of(args, count);

	if (path != NULL && read_config_file(c, path, e) < 0)
		return -1;
	for (size_t i = 0; i < settings_count; i++)
		if (settings[i].type == SETTING_LIST)
			setting_list(c, &settings[i])->beneath =
				setting_list(c, &settings[i])->count;
	for (size_t n = 0; n < count; n++) {
		const struct setting *s = args[n].setting;

		if (setting_set_text(c, s, args[n].value, e) < 0)
			return verr_note(e, "--%s %s", s->flag, args[n].value);
		if (s->type == SETTING_LIST)
			list_merge_last(setting_list(c, s), s->list);
	}
	return 0;
}

static int take_flags(struct config *c, int argc, char *const argv[], int *end, struct verr *e)
{
	struct arg *args = calloc((size_t)argc + 1, sizeof(*args));
	size_t count;
	int r;

	if (args == NULL)
		return verr_host(e, "out of memory");
	r = parse_flags(args, &count, argc, argv, end, e);
	if (r == 0)
		r = apply_flags(c, args, count, e);
	free(args);
	return r;
}

int config_parse_args(struct config *c, int argc, char *const argv[], struct verr *e)
{
	int i = 1, r = take_flags(c, argc, argv, &i, e);

	if (r == 0 && (c->help || c->version))
		return 0;
	while (i < argc && strcmp(argv[i], "--") != 0)
		i++;
	if (i >= argc)
		return r;
	config_drop_workload(c);
	/* After a fault, too: the exit status depends on whether there is a command. */
	return copy_workload(c, argc - i - 1, argv + i + 1, e) < 0 ? -1 : r;
}

/* `before` and `between` are how the setting is written: "--" and " ", or "" and "=". */
static void print_setting(const struct setting *s, const char *before, const char *between)
{
	char left[64], value[32];

	(void)snprintf(left, sizeof(left), "%s%s%s%s", before, s->flag, s->values ? between : "",
		       s->values ? s->values : "");
	printf("  %-34s %s", left, s->help);
	if (s->type == SETTING_SIZE)
		setting_format_size(s->number_default, value, sizeof(value));
	else if (s->type == SETTING_U32)
		(void)snprintf(value, sizeof(value), "%llu", (unsigned long long)s->number_default);
	else if (s->type == SETTING_BOOL)
		(void)snprintf(value, sizeof(value), "%s", s->number_default ? "on" : "off");
	else if (s->type != SETTING_ENUM ||
		 !setting_choice(s, s->number_default, value, sizeof(value)))
		(void)snprintf(value, sizeof(value), "%s", s->text_default ? s->text_default : "");
	if (s->type != SETTING_FLAG && *value != '\0')
		printf(" [%s]", value);
	printf("\n");
	for (size_t i = 0; s->list != NULL && i < s->list->count; i++)
		print_setting(&s->list->rows[i], "    ", "=");
}

void config_print_help(void)
{
	printf("Usage: volt-vmm --kernel FILE [OPTION...] [-- COMMAND ARG...]\n"
	       "       volt-vmm --api-socket PATH [OPTION...] [-- COMMAND ARG...]\n"
	       "Boot a Linux guest on KVM and end when it does.\n\n"
	       "A COMMAND is run by volt-init in the guest, and its exit status is volt-vmm's.\n\n"
	       "Options, with defaults in brackets; --flag=VALUE works, too:\n");
	for (size_t i = 0; i < settings_count; i++)
		print_setting(&settings[i], "--", " ");
	printf("\nExit status: 0 the guest powered off or rebooted; 1 it failed, or Volt did; 2 "
	       "the\n"
	       "configuration is wrong. With a COMMAND: its own status (128+N when signal N killed "
	       "it),\n"
	       "or 125 when Volt or the guest failed before it ended.\n\n"
	       "Example: volt-vmm --kernel vmlinux --initrd initrd.cpio --memory 256M --cpus 2\n");
}
