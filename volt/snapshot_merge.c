/* SPDX-License-Identifier: Apache-2.0 */
/* volt snapshot merge: a difference and its bases as one. */
#include "vmm/snapshot/merge.h"
#include "volt/snapshot.h"

static int run(const struct verb_args *args, struct verr *e)
{
	return snapshot_merge(args->operands[0], args->operands[1], e) < 0 ? -1 : STATUS_OK;
}

const struct verb snapshot_merge_verb = {
	.name = "merge",
	.summary = "make a snapshot with a base into one without",
	.about = "DIR and the snapshots it is based on stay as they are. NEW is a new folder; it "
		 "is of "
		 "the same\n"
		 "instant and has the same id, so it may take DIR's place under others that are "
		 "based on that.\n",
	.run = run,
	.operands = "DIR NEW",
	.operands_min = 2,
	.operands_max = 2,
};
