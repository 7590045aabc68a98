/* SPDX-License-Identifier: Apache-2.0 */
/* What of the making of a snapshot its thread does, and what it asks the loop for. */
#ifndef VOLT_VMM_SNAPSHOT_SAVE_H
#define VOLT_VMM_SNAPSHOT_SAVE_H

#include <stdatomic.h>

#include "vmm/snapshot/disks.h"
#include "vmm/snapshot/snapshot.h"
#include "vmm/state/file.h"

/* One snapshot in the making. */
struct save {
	struct machine *machine;
	const struct sandbox *sandbox;
	struct disk_hashes *known; /* of disks that are only referred to */
	const char *cwd;           /* what relative paths are relative to */
	const char *path, *base;
	const char *memory; /* a file of its own; NULL: all is in the folder `path` */
	bool prefer_whole;  /* to a difference where there are such files already */
	bool stay_paused;
	bool tracks;            /* what is written is noted before and afterwards */
	const uint8_t *since;   /* the id of the snapshot since which it is; NULL: of none */
	const atomic_bool *end; /* give up */

	/*
	 * The loop's part: hold the machine, let it go on. `capture` is called between, while the
	 * loop stands still, too. Faults of theirs; or of ours, when all ends.
	 */
	int (*hold)(void *arg, int (*capture)(struct save *), struct verr *e);
	void (*let_go)(void *arg, bool pause);
	void *arg;

	struct state_writer *state;
	struct snapshot_made made;
	struct verr fault; /* of capture */
};

V_MUST_CHECK int save_run(struct save *s, struct verr *e);

#endif
