/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VOLT_VOLT_SNAPSHOT_H
#define VOLT_VOLT_SNAPSHOT_H

#include "cli/verb.h"

extern const struct verb snapshot_verb;

/* Its verbs, one file each. */
extern const struct verb snapshot_check_verb, snapshot_create_verb, snapshot_inspect_verb,
	snapshot_merge_verb;

#endif
