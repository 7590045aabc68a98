/* SPDX-License-Identifier: Apache-2.0 */
/* The disks of a snapshot: those that the machine may write are copied, others are referred to. */
#ifndef VOLT_VMM_SNAPSHOT_DISKS_H
#define VOLT_VMM_SNAPSHOT_DISKS_H

#include <stdatomic.h>

#include "vmm/machine/saving.h"
#include "vmm/snapshot/files.h"
#include "vmm/snapshot/hash.h"
#include "vmm/snapshot/stamp.h"
#include "vmm/state/file.h"

#define DISKS_MAX 32

/* Hashes of files that are not written, for the next snapshot. */
struct disk_hashes {
	struct {
		struct stamp_file file;
		uint8_t hash[SNAPSHOT_HASH];
	} known[DISKS_MAX];
	size_t count;
};

/* Is it copied into the snapshot? */
bool disk_is_copied(const struct drive_config *config);

/* Begin to note what is written, while the machine is held; and the end of that. */
V_MUST_CHECK int disks_watch(const struct machine *machine, struct verr *e);
void disks_forget(const struct machine *machine);

/*
 * Copy what is to be copied, while the machine goes on, after disks_watch(). Of volumes nothing
 * yet: what was written is in their files only when they are flushed.
 */
V_MUST_CHECK int disks_copy_running(const struct machine *machine, struct snapshot_files *files,
				    int fds[static DISKS_MAX], const atomic_bool *end,
				    struct verr *e);

/* Copy what was not, and what has been written meanwhile. The machine is held. */
V_MUST_CHECK int disks_copy(const struct machine *machine, struct snapshot_files *files,
			    int fds[static DISKS_MAX], const atomic_bool *end, struct verr *e);

/*
 * Make the copies durable, hash all, and write what the state says of them; the machine goes on
 * meanwhile. `cwd` is what the configuration's paths are relative to, `folder` the name of the
 * folder of copies.
 */
V_MUST_CHECK int disks_finish(const struct machine *machine, const char *cwd, const char *folder,
			      const int fds[static DISKS_MAX], struct disk_hashes *known,
			      const atomic_bool *end, struct state_writer *state,
			      struct stamp *stamp, struct verr *e);

#endif
