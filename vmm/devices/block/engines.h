/* SPDX-License-Identifier: Apache-2.0 */
/* The engines: by threads that block, or, for files, by io_uring. */
#ifndef VOLT_VMM_DEVICES_BLOCK_ENGINES_H
#define VOLT_VMM_DEVICES_BLOCK_ENGINES_H

#include "vmm/devices/block/file.h"
#include "vmm/devices/block/workers.h"

/*
 * For one queue with at most `depth` operations in flight; `medium`, or `file`, and `workers` are
 * borrowed and outlive it. `*medium` may be another one when changed() is called. `done` gets each
 * operation once.
 */
V_MUST_CHECK int sync_engine_new(struct disk_medium *const *medium, struct workers *workers,
				 disk_done_fn *done, void *arg, struct disk_engine **out,
				 struct verr *e);

/* A fault where the kernel has no io_uring or does not let this process use it. */
V_MUST_CHECK int uring_engine_new(const struct disk_file *file, unsigned depth, disk_done_fn *done,
				  void *arg, struct disk_engine **out, struct verr *e);

static inline struct disk_engine *disk_engine_free(struct disk_engine *engine)
{
	if (engine != NULL)
		engine->class->free(engine);
	return NULL;
}

#endif
