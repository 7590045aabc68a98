/* SPDX-License-Identifier: Apache-2.0 */
/* /etc/fstab of an image: any text gives entries that hold together, with options that do. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rootfs/volt-init/fstab.h"
#include "rootfs/volt-init/mountopts.h"
#include "rootfs/volt-init/swap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
	if (!holds)
		abort();
}

static void check(const struct fstab_entry *entry)
{
	struct mountopts options;
	size_t before = strlen(entry->options);

	/* To its end, so that the sanitizer sees one that has none. */
	must(strlen(entry->source) + strlen(entry->target) + strlen(entry->type) < SIZE_MAX);
	mountopts_parse(&options, entry->options);
	must(strlen(options.data) <= before);
	(void)swap_flags(options.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Of exactly the size: one byte too many is a finding. */
	char *text = malloc(size + 1);
	char *at = text;
	struct fstab_entry entry;
	enum fstab_result result;
	size_t lines = 0;

	must(text != NULL);
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	while ((result = fstab_next(&at, &entry)) != FSTAB_END) {
		if (result == FSTAB_ENTRY)
			check(&entry);
		must(++lines <= size);
	}
	free(text);
	return 0;
}
