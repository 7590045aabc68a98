/* SPDX-License-Identifier: Apache-2.0 */
/* volt snapshot inspect: all that a state file says. */
#include "volt/snapshot.h"
#include "volt/snapshot_file.h"

static int run(const struct verb_args *args, struct verr *e)
{
	struct state_reader *r;
	int result;

	if (snapshot_file_open(args->operands[0], &r, NULL, e) < 0)
		return -1;
	result = state_print_json(r, stdout, e);
	(void)state_reader_free(r);
	return result < 0 ? verr_note(e, "%s", args->operands[0]) : STATUS_OK;
}

const struct verb snapshot_inspect_verb = {
	.name = "inspect",
	.summary = "print what a snapshot's state says, as JSON",
	.about = "Runs of bytes, KVM's structures among them, are hexadecimal, and so are numbers "
		 "of "
		 "64 bits.\n",
	.run = run,
	.operands = "SNAPSHOT",
	.operands_min = 1,
	.operands_max = 1,
};
