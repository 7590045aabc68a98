/* SPDX-License-Identifier: Apache-2.0 */
/* stellarium init: make a store. */
#include <stdio.h>

#include "stellarium/cli/common.h"

enum { CUT, CHUNK_SIZE, CODEC };

static const struct verb_option options[] = {
	[CUT] = COMMON_CUT, [CHUNK_SIZE] = COMMON_CHUNK_SIZE, [CODEC] = COMMON_CODEC};

static int run(const struct verb_args *args, struct verr *e)
{
	const char *const *given = args->options;
	struct stel_options o = {
		.cut = stel_cutting_usual(STEL_CUT_PAGE), .codec = STEL_CODEC_ZSTD, .level = 1};

	if (common_options(given[CUT], given[CHUNK_SIZE], given[CODEC], &o, e) < 0)
		return -1;
	return stel_create(args->operands[0], &o, e) < 0 ? -1 : STATUS_OK;
}

const struct verb init_verb = {
	.name = "init",
	.summary = "make a store in a new or empty folder",
	.about = "The options are what images get that are imported without any.\n"
		 "Default: --cut page --codec zstd.\n",
	.run = run,
	.options = options,
	.options_count = ARRAY_LEN(options),
	.operands = "STORE",
	.operands_min = 1,
	.operands_max = 1,
};
