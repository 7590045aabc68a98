/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine from a snapshot. Memory is mapped from the snapshot's files and shared with whoever
 * else does so, its state is applied; disks that it may write are its own from here on, for a
 * snapshot's files are never written: what it writes goes to temporary files that end with it, or,
 * where --drive id=NAME,path=NEW says so, the disk is copied to a new file.
 *
 *	restore_open()    the snapshot, its bases, all verified
 *	restore_config()  the configuration of its machine, with what is given over it
 *	restore_disks()   before machine_new(): its disks are what the configuration says now
 *	restore_opened()  after it: temporary files lose their names
 *	restore_machine() for machine_restore_from(); what it borrows stays until restore_free()
 */
#ifndef VOLT_VMM_SNAPSHOT_RESTORE_H
#define VOLT_VMM_SNAPSHOT_RESTORE_H

#include "vmm/config/config.h"
#include "vmm/machine/machine.h"
#include "vmm/snapshot/open.h"

struct restore;

/* The snapshot in the folder `path`, or of that state file; `memory`: the file of its memory, where
 * it is not in its place. */
V_MUST_CHECK int restore_open(const char *path, const char *memory, struct restore **out,
			      struct verr *e);

/* It is the one called `name` in `store`, both borrowed: so are the images of its volumes. */
void restore_is_stored(struct restore *r, const char *store, const char *name);

/* Before config_check(). */
V_MUST_CHECK int restore_config(const struct restore *r, struct config *config, struct verr *e);

/* Changes paths in `config`, which has been checked. */
V_MUST_CHECK int restore_disks(struct restore *r, struct config *config, struct verr *e);

/* machine_new() has opened them. */
void restore_opened(struct restore *r, struct config *config);

const struct machine_restore *restore_machine(struct restore *r, enum machine_clock clock,
					      bool paused);

/* It is called `path`: snapshots of the machine may be differences to it. */
V_MUST_CHECK int restore_follow(const struct restore *r, const char *path,
				struct snapshots *snapshots, struct verr *e);

/* `keep`: the machine runs; else new files that restore_disks() has made are removed. Accepts NULL,
 * returns NULL. */
struct restore *restore_free(struct restore *r, bool keep);

#endif
