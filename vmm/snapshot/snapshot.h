/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshots of a machine that runs. Theory of operation:
 *
 * With --snapshot-dir there is a thread that makes them, one at a time, so that the loop goes on
 * meanwhile. The machine is held twice, by the loop, at the thread's wish:
 *
 *	held      from here on what is written is noted
 *	          all of memory is written to the file while the guest runs, then what it has
 *	          changed meanwhile, and again, as long as that becomes less
 *	held      the state is taken, the rest of memory written, the disks copied
 *	          files are hashed and made durable, and named last
 *
 * With --track-dirty what is written is noted always, and a snapshot can have what changed since
 * the one before only.
 *
 *	maker.c           the thread
 *	save.c            the order above
 *	files.c, apart.c  where it is written, and its name
 *	memory.c          pages
 *	disks.c           disks
 *	hash.c            BLAKE3
 *	stamp.c           what was verified
 *	path.c            paths
 *	open.c            one that is there, and its bases: all verified
 *	restore.c         the way back
 *	merge.c           one without bases
 *	stored*.c         in a store
 */
#ifndef VOLT_VMM_SNAPSHOT_SNAPSHOT_H
#define VOLT_VMM_SNAPSHOT_SNAPSHOT_H

#include "base/loop.h"
#include "vmm/machine/machine.h"
#include "vmm/sandbox/sandbox.h"

#define SNAPSHOT_ID 16

/* What is to be made. Texts are borrowed for the call. */
struct snapshot_wish {
	const char *path;   /* the folder that it becomes, or the file that its state becomes */
	const char *memory; /* the file that memory becomes; NULL: `path` is a folder */
	const char
		*base; /* the folder of the snapshot before, for one with the difference; or NULL */
	bool diff;     /* with the difference to the last one, if there can be such; else whole */
	bool stay_paused; /* leave the machine paused at the instant of the snapshot */
};

/* What was made. */
struct snapshot_made {
	uint8_t id[SNAPSHOT_ID];
	bool diff;
	uint64_t memory;     /* bytes of memory written */
	uint64_t while_held; /* of those, while the machine stood still */
	uint64_t held_us;    /* how long that was */
};

struct snapshots;

/* A fault is NULL when it was made. The loop's thread. */
typedef void snapshot_done_fn(void *arg, const struct snapshot_made *made,
			      const struct verr *fault);

/*
 * Before the sandbox is entered: all that it will need is opened. Borrows everything. The
 * configuration's paths are those of the folder that is the current one now.
 */
V_MUST_CHECK int snapshots_new(struct machine *machine, const struct config *config,
			       struct loop *loop, struct sandbox *sandbox, struct snapshots **out,
			       struct verr *e);

/*
 * The machine was restored from this snapshot, of `depth` that are each the base of the next: with
 * --track-dirty a difference may follow it.
 */
V_MUST_CHECK int snapshots_follow(struct snapshots *s, const char *path, size_t depth,
				  const uint8_t id[static SNAPSHOT_ID], struct verr *e);

/* Its thread, after the sandbox is entered. */
V_MUST_CHECK int snapshots_start(struct snapshots *s, struct verr *e);

/* Begin one; `done` is called once it is made, or is not. A fault: it cannot begin. */
V_MUST_CHECK int snapshots_make(struct snapshots *s, const struct snapshot_wish *wish,
				snapshot_done_fn *done, void *arg, struct verr *e);

/* Give up one that is being made, and end the thread. Before the machine is freed. */
struct snapshots *snapshots_free(struct snapshots *s); /* accepts NULL, returns NULL */

#endif
