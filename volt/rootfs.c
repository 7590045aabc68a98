/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/rootfs.h"

static const struct verb *const verbs[] = {
	&rootfs_build_verb,
};

const struct verb rootfs_verb = {
	.name = "rootfs",
	.summary = "make root disks for guests",
	.verbs = verbs,
	.verbs_count = ARRAY_LEN(verbs),
};
