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

void options_parse(struct options *options, char *line)
{
	char *word;

	*options = (struct options){0};
	while ((word = options_word(&line))) {
		if (strcmp(word, "--") == 0) {
			options->workload = line;
			return;
		}
		if (strcmp(word, "volt.debug") == 0)
			options->debug = true;
	}
}
