/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/snapshot.h"

static const struct verb *const verbs[] = {
	&snapshot_create_verb, &snapshot_inspect_verb, &snapshot_check_verb, &snapshot_merge_verb,
	&snapshot_import_verb, &snapshot_export_verb,  &snapshot_ls_verb,    &snapshot_rm_verb,
};

const struct verb snapshot_verb = {
	.name = "snapshot",
	.summary = "make and handle snapshots of running machines",
	.about = "A snapshot is a folder with a machine's state, memory and disks at one instant; "
		 "volt-vmm\n"
		 "--restore DIR goes on from it, any number of times. Or it is in a store, which "
		 "has what\n"
		 "snapshots share only once: volt-vmm --restore NAME --cas-store STORE. "
		 "docs/snapshots.md tells\n"
		 "more.\n",
	.verbs = verbs,
	.verbs_count = ARRAY_LEN(verbs),
};
