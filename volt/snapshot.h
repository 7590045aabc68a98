/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VOLT_VOLT_SNAPSHOT_H
#define VOLT_VOLT_SNAPSHOT_H

#include <stdbool.h>

#include "cli/verb.h"
#include "vmm/snapshot/stored.h"

extern const struct verb snapshot_verb;

/* Its verbs. */
extern const struct verb snapshot_check_verb, snapshot_create_verb, snapshot_export_verb,
	snapshot_import_verb, snapshot_inspect_verb, snapshot_ls_verb, snapshot_merge_verb,
	snapshot_rm_verb;

/* What the monitor, which has another current folder, takes for the same path; NULL is a fault. */
char *snapshot_absolute(const char *path, struct verr *e);

/* The request for a snapshot; NULL is a fault. */
char *snapshot_wish(const char *path, const char *base, bool pause, struct verr *e);

/* One that is made in a store; the status of a verb. */
struct snapshot_create {
	const char *api, *store, *name;
	const char *dir; /* NULL: a folder that the machine tells */
	bool pause;
};

V_MUST_CHECK int snapshot_create_stored(const struct snapshot_create *how, struct verr *e);

/* stored_put() with a bar on a terminal, until somebody interrupts it. */
V_MUST_CHECK int snapshot_put(struct stel *s, const char *name, const char *folder,
			      struct stored_made *made, struct verr *e);

#endif
