/* SPDX-License-Identifier: Apache-2.0 */
/* stellarium rm: remove names. */
#include "stellarium/cli/common.h"

static int work(struct stel *s, const struct verb_args *args, struct verr *e)
{
	return stel_remove(s, args->operands + 1, args->count - 1, e) < 0 ? -1 : STATUS_OK;
}

static int run(const struct verb_args *args, struct verr *e)
{
	return common_with_store(work, args, e);
}

const struct verb rm_verb = {
	.name = "rm",
	.summary = "remove images, all or none",
	.about = "stellarium gc gives back the space of what no other image has.\n",
	.run = run,
	.operands = "STORE NAME...",
	.operands_min = 2,
	.operands_max = 100000,
};
