/* SPDX-License-Identifier: Apache-2.0 */
/* What a snapshot needs of a machine, beside its state (machine_capture()). */
#ifndef VOLT_VMM_MACHINE_SAVING_H
#define VOLT_VMM_MACHINE_SAVING_H

#include "vmm/machine/machine.h"
#include "vmm/mem/mem.h"

struct block;

/*
 * Hold a machine: nothing of it changes, whether it ran or is paused, and it can be neither paused
 * nor resumed until it is let go. Its listeners do not hear of it. The machine's loop. A fault: it
 * does not run, or is held.
 */
V_MUST_CHECK int machine_hold(struct machine *machine, struct verr *e);

/* Let it go on; or, with `pause`, leave it paused. The machine's loop. */
void machine_let_go(struct machine *machine, bool pause);

/*
 * A snapshot is being made, held or not, or is not any more: disks keep their files as long. The
 * machine's loop.
 */
void machine_saving(struct machine *machine, bool saving);

struct mem *machine_memory(struct machine *machine);

/*
 * Note from here on which pages are written, or no longer. Any thread, while it is held: what a
 * device does when this begins would not be noted.
 */
V_MUST_CHECK int machine_track(struct machine *machine, bool on, struct verr *e);

/*
 * Add the pages that were written to `bits` (mem_words() of them), and forget them. `held`: what
 * devices were given to write in, too. Any thread.
 */
V_MUST_CHECK int machine_written(struct machine *machine, bool held, uint64_t *bits,
				 struct verr *e);

/* Does somebody write whom nobody can ask (vhost)? Then all pages count as written. */
bool machine_writes_unseen(const struct machine *machine);

/* Disk `index` in the order of the guest; false: there are not so many. */
bool machine_disk(const struct machine *machine, size_t index, const struct drive_config **config,
		  struct block **block);

/*
 * The configuration as the next machine needs it: what was chosen at the start is named, and paths
 * are no longer relative to `cwd`. Caller frees; NULL: out of memory.
 */
char *machine_config_json(const struct machine *machine, const char *cwd);

#endif
