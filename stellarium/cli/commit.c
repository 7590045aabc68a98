/* SPDX-License-Identifier: Apache-2.0 */
/* stellarium commit: a volume becomes an image. */
#include "stellarium/cli/common.h"

enum { REPLACE, JSON };

static const struct verb_option options[] = {
	[REPLACE] = {.name = "replace", .help = "an image of this name may be there already"},
	[JSON] = COMMON_JSON,
};

static int work(struct stel *s, const struct verb_args *args, struct verr *e)
{
	struct progress progress;
	struct stel_watch watch = common_progress(&progress, args->operands[2]);
	struct stel_import result;
	int r = stel_commit(s, args->operands[1], args->operands[2], args->options[REPLACE] != NULL,
			    &watch, &result, e);

	progress_end(&progress);
	return r < 0 ? -1 : common_print_import(&result, "volume", args->options[JSON] != NULL, e);
}

static int run(const struct verb_args *args, struct verr *e)
{
	return common_with_store(work, args, e);
}

const struct verb commit_verb = {
	.name = "commit",
	.summary = "make an image of a volume, by storing what was written",
	.about =
		"DIR is the volume's folder, or the file of an overlay; nobody may be using it. It "
		"stays as it is.\n"
		"Prints the image's id.\n",
	.run = run,
	.options = options,
	.options_count = ARRAY_LEN(options),
	.operands = "STORE DIR NAME",
	.operands_min = 3,
	.operands_max = 3,
};
