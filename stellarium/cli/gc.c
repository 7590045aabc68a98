/* SPDX-License-Identifier: Apache-2.0 */
/* stellarium gc: give back the space of what no image has. */
#include <stdio.h>

#include "stellarium/cli/common.h"

enum { JSON };

static const struct verb_option options[] = {[JSON] = COMMON_JSON};

static int work(struct stel *s, const struct verb_args *args, struct verr *e)
{
	struct progress progress;
	struct stel_watch watch = common_progress(&progress, "gc");
	char size[SIZE_TEXT];
	struct stel_gc r;
	int result = stel_gc(s, &watch, &r, e);

	progress_end(&progress);
	if (result < 0)
		return -1;
	if (args->options[JSON] != NULL)
		return common_print_json(json_pack("{s:I, s:I, s:I, s:I}", "packs_removed",
						   (json_int_t)r.packs_removed, "packs_rewritten",
						   (json_int_t)r.packs_rewritten, "packs_in_use",
						   (json_int_t)r.packs_in_use, "freed",
						   (json_int_t)r.freed),
					 e);
	printf("%s freed\n", size_text(r.freed, size));
	return STATUS_OK;
}

static int run(const struct verb_args *args, struct verr *e)
{
	return common_with_store(work, args, e);
}

const struct verb gc_verb = {
	.name = "gc",
	.summary = "give back the space of what no image has",
	.about =
		"Imports and readers may go on meanwhile; what they use stays. Packs of which less "
		"than half is\n"
		"of use are written anew. Files of snapshots that no machine uses any more go, "
		"too.\n",
	.run = run,
	.options = options,
	.options_count = ARRAY_LEN(options),
	.operands = "STORE",
	.operands_min = 1,
	.operands_max = 1,
};
