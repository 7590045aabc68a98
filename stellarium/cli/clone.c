/* SPDX-License-Identifier: Apache-2.0 */
/* stellarium clone: another name for an image. */
#include <ctype.h>
#include <stdlib.h>

#include "stellarium/cli/common.h"

enum { COUNT };

static const struct verb_option options[] = {
	[COUNT] = {.name = "count",
		   .value = "N",
		   .help = "so many: NEW0, NEW1 and so on, all or none"},
};

static int work(struct stel *s, const struct verb_args *args, struct verr *e)
{
	const char *text = args->options[COUNT];
	unsigned long count = 0;
	char *end;

	if (text != NULL) {
		count = strtoul(text, &end, 10);
		if (!isdigit((unsigned char)*text) || *end != '\0' || count < 1 || count > 1000000)
			return verr_invalid(e, "--count %s: expected 1 to 1000000", text);
	}
	return stel_clone(s, args->operands[1], args->operands[2], (unsigned int)count, e) < 0
		       ? -1
		       : STATUS_OK;
}

static int run(const struct verb_args *args, struct verr *e)
{
	return common_with_store(work, args, e);
}

const struct verb clone_verb = {
	.name = "clone",
	.summary = "give an image another name, whatever its size at once",
	.run = run,
	.options = options,
	.options_count = ARRAY_LEN(options),
	.operands = "STORE NAME NEW",
	.operands_min = 3,
	.operands_max = 3,
};
