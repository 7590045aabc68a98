/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel command line: options, then the workload's words and the arguments in them. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rootfs/volt-init/decode.h"
#include "rootfs/volt-init/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count_separators(const char *word)
{
	size_t count = 0;

	while ((word = strstr(word, "%00"))) {
		count++;
		word += 3;
	}
	return count;
}

static void decode_all(char *words, size_t room)
{
	struct workload workload;
	struct why why = {.text = ""};
	char *word;

	workload_init(&workload);
	while ((word = options_word(&words))) {
		size_t wanted = workload.argc + count_separators(word) + 1;

		if (decode_word(word, &workload, &why) < 0) {
			if (why.text[0] == '\0')
				abort();
			return;
		}
		if (workload.argc != wanted)
			abort();
	}
	size_t total = 0;
	for (size_t i = 0; i < workload.argc; i++)
		total += strlen(workload.argv[i]) + 1;
	if (total > room || workload.argv[workload.argc])
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct options options;
	char *line = malloc(size + 1);

	if (!line)
		abort();
	if (size)
		memcpy(line, data, size);
	line[size] = '\0';
	options_parse(&options, line);
	if (options.workload)
		decode_all(options.workload, size + 1);
	free(line);
	return 0;
}
