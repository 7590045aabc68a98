/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel on its way into the store: its files are written to a folder beside the others, which
 * then takes its name in one step. Any number of processes may do so at the same time, with one
 * name or several; the last one's kernel stays. What a killed one left is cleared by the next.
 */
#ifndef VOLT_VOLT_STAGE_H
#define VOLT_VOLT_STAGE_H

#include "volt/store.h"

struct stage {
	const struct store *store; /* borrowed */
	int fd;                    /* its folder, locked for as long as it is in use */
	char folder[32];           /* its name in the store */
};

#define STAGE_INIT       \
	{                \
		.fd = -1 \
	}

V_MUST_CHECK int stage_open(struct stage *st, const struct store *store, struct verr *e);
void stage_deinit(struct stage *st); /* what was not committed is gone */

/* A new file in it, to be written and read. Returns its descriptor, the caller's. */
V_MUST_CHECK int stage_create(struct stage *st, const char *file, struct verr *e);

/* A whole small file. */
V_MUST_CHECK int stage_put(struct stage *st, const char *file, const void *bytes, size_t len,
			   struct verr *e);

/* Give it its name, in place of a kernel that has it. `name` is a good one. */
V_MUST_CHECK int stage_commit(struct stage *st, const char *name, struct verr *e);

#endif
