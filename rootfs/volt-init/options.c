/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/options.h"

#include <stddef.h>
#include <string.h>

#define BLANKS " \t\n\v\f\r"

char *options_word(char **at)
{
	char *from = *at + strspn(*at, BLANKS);
	char *word = from;
	char *to = from;
	bool quoted = false;

	if (*from == '\0') {
		*at = from;
		return NULL;
	}
	for (; *from && (quoted || !strchr(BLANKS, *from)); from++) {
		if (*from == '"')
			quoted = !quoted;
		else
			*to++ = *from;
	}
	*at = *from ? from + 1 : from;
	*to = '\0';
	return word;
}

static const struct text_row {
	const char *name;
	size_t at;
} texts[] = {
	{"root=", offsetof(struct options, root)},
	{"rootfstype=", offsetof(struct options, rootfstype)},
	{"rootflags=", offsetof(struct options, rootflags)},
	{"init=", offsetof(struct options, init)},
	{"volt.hostname=", offsetof(struct options, hostname)},
	{"volt.user=", offsetof(struct options, user)},
	{"volt.cwd=", offsetof(struct options, cwd)},
};

static const struct mode_row {
	const char *word;
	enum root_mode mode;
} modes[] = {
	{"ro", ROOT_RO},
	{"rw", ROOT_RW},
};

#define ENV "volt.env."
#define ENV_SIZE (sizeof(ENV) - 1)
#define IP "volt.ip"
#define IP_SIZE (sizeof(IP) - 1)
/* A name and "=", and a blank behind it. */
_Static_assert(OPTIONS_LINE / (ENV_SIZE + 3) < OPTIONS_ENV, "there is room for all");

static void take_text(struct options *options, char *word)
{
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		size_t size = strlen(texts[i].name);

		if (strncmp(word, texts[i].name, size) == 0)
			*(char **)(void *)((char *)options + texts[i].at) = word + size;
	}
}

static void take_env(struct options *options, char *word)
{
	const char *equals = strchr(word, '=');

	if (equals && equals != word && options->envc < OPTIONS_ENV)
		options->env[options->envc++] = word;
}

static void take_ip(struct options *options, char *word)
{
	char *equals = strchr(word, '=');

	if (!equals || options->ipc == OPTIONS_IP || (*word == '.' && equals == word + 1))
		return;
	if (*word != '.' && *word != '=')
		return;
	*equals = '\0';
	options->ip[options->ipc++] = (struct ip_option){
		.interface = *word == '.' ? word + 1 : NULL, .value = equals + 1};
}

static void take(struct options *options, char *word)
{
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(word, modes[i].word) == 0)
			options->mode = modes[i].mode;
	}
	if (strcmp(word, "volt.debug") == 0)
		options->debug = true;
	else if (strncmp(word, ENV, ENV_SIZE) == 0)
		take_env(options, word + ENV_SIZE);
	else if (strncmp(word, IP, IP_SIZE) == 0)
		take_ip(options, word + IP_SIZE);
	else
		take_text(options, word);
}

void options_parse(struct options *options, char *line)
{
	char *word;

	*options = (struct options){0};
	while ((word = options_word(&line))) {
		if (strcmp(word, "--") == 0) {
			options->workload = line;
			return;
		}
		take(options, word);
	}
}
