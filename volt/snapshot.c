/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/snapshot.h"

static const struct verb *const verbs[] = {
	&snapshot_inspect_verb,
	&snapshot_check_verb,
	&snapshot_create_verb,
	&snapshot_merge_verb,
};

const struct verb snapshot_verb = {
	.name = "snapshot",
	.summary = "make and handle snapshots of running machines",
	.about = "A snapshot is a folder with a machine's state, memory and disks at one instant; "
		 "volt-vmm\n"
		 "--restore DIR goes on from it, any number of times. docs/snapshots.md tells "
		 "more.\n",
	.verbs = verbs,
	.verbs_count = ARRAY_LEN(verbs),
};
