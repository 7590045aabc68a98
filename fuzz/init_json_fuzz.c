/* SPDX-License-Identifier: Apache-2.0 */
/* init.json of an image: any bytes give a workload that holds together, or a reason. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rootfs/volt-init/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads every string to its end, so that the sanitizer sees one that has none. */
static size_t measure(const struct workload *workload)
{
	size_t total = 0;

	for (size_t i = 0; i < workload->argc; i++)
		total += strlen(workload->argv[i]) + 1;
	for (size_t i = 0; i < workload->envc; i++) {
		const char *equals = strchr(workload->envp[i], '=');

		if (!equals || equals == workload->envp[i])
			abort();
		total += strlen(workload->envp[i]) + 1;
	}
	if (workload->user)
		total += strlen(workload->user) + 1;
	if (workload->cwd)
		total += strlen(workload->cwd) + 1;
	return total;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct workload workload;
	struct config config = {.workload = &workload};
	struct why why = {.text = ""};
	/* Of exactly the size: one byte too many is a finding. */
	char *text = malloc(size ? size : 1);
	char *room = malloc(size ? size : 1);

	if (!text || !room)
		abort();
	if (size)
		memcpy(text, data, size);
	workload_init(&workload);
	if (config_parse(&config, text, size, room, &why) == 0) {
		if (measure(&workload) + (config.hostname ? strlen(config.hostname) + 1 : 0) >
			    size ||
		    workload.argv[workload.argc] || workload.envp[workload.envc])
			abort();
	} else if (why.text[0] == '\0') {
		abort();
	}
	free(text);
	free(room);
	return 0;
}
