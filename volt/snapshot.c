/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/snapshot.h"

static const struct verb *const verbs[] = {
	&snapshot_inspect_verb,
	&snapshot_check_verb,
};

const struct verb snapshot_verb = {
	.name = "snapshot",
	.summary = "look at snapshots of machines",
	.about = "A snapshot is a folder; its file \"state\" has all but memory and disks.\n",
	.verbs = verbs,
	.verbs_count = ARRAY_LEN(verbs),
};
