/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A snapshot that is there: its state and the files that belong to it, each found to be what the
 * state says. Differences are opened with the snapshots that they are based on.
 */
#ifndef VOLT_VMM_SNAPSHOT_OPEN_H
#define VOLT_VMM_SNAPSHOT_OPEN_H

#include <limits.h>

#include "vmm/mem/mem.h"
#include "vmm/sandbox/sandbox.h"
#include "vmm/snapshot/snapshot.h"
#include "vmm/snapshot/stamp.h"
#include "vmm/state/file.h"

/* One, without its base. */
struct opened {
	char path[PATH_MAX];   /* as it was named */
	char folder[PATH_MAX]; /* in which its state is */
	char stamp_path[PATH_MAX];
	bool is_folder; /* else its state's file was named */
	struct state_reader *state;
	struct snapshot_state *snapshot;
	struct memory_state *memory;
	struct mem_run *runs; /* of a difference */
	size_t runs_count;
	int memory_fd;
	struct stamp stamp;
	bool stamped; /* all that was looked at so far was in the stamp */
};

/* The snapshot, and the bases it needs: its own, that one's, and so on. */
struct opened_chain {
	struct opened *at[MEM_LAYERS_MAX];
	size_t count;
};

/*
 * Open the snapshot in the folder `path`, or of the state file that it is, and its bases. Their
 * memory is verified. `memory`, unless NULL, is where its memory's file is.
 */
V_MUST_CHECK int chain_open(struct opened_chain *c, const char *path, const char *memory,
			    struct verr *e);
void chain_close(struct opened_chain *c);

/*
 * Verify a file of it by what the state says of it: by the stamp, or by reading it. `name` is what
 * it is called in the stamp, `what` in a fault.
 */
V_MUST_CHECK int opened_verify(struct opened *o, int fd, const char *name, const char *what,
			       uint64_t size, const uint8_t *hash, struct verr *e);

/* The same of what is never a device. */
V_MUST_CHECK int opened_verify_file(struct opened *o, int fd, const char *name, const char *what,
				    uint64_t size, const uint8_t *hash, struct verr *e);

/* All was verified: note that, where it is new. */
void opened_stamp(struct opened *o);

/* Where memory's pages are, the base's first. Borrowed. */
void chain_layers(const struct opened_chain *c, struct mem_layer out[static MEM_LAYERS_MAX]);

/* The id of the snapshot at `path`, from within the sandbox. */
V_MUST_CHECK int snapshot_read_id(const struct sandbox *sandbox, const char *path,
				  uint8_t id[static SNAPSHOT_ID], struct verr *e);

#endif
