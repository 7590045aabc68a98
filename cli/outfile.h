/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that appears under its name when it is complete, or not at all: written beside the name,
 * made durable, and renamed.
 */
#ifndef VOLT_CLI_OUTFILE_H
#define VOLT_CLI_OUTFILE_H

#include <limits.h>
#include <stddef.h>

#include "base/verr.h"

struct outfile {
	int fd;
	const char *path; /* borrowed */
	char temporary[PATH_MAX];
};

#define OUTFILE_INIT     \
	{                \
		.fd = -1 \
	}

/* An existing file at `path` is replaced in the end; anything else there is refused now. */
V_MUST_CHECK int outfile_open(struct outfile *f, const char *path, struct verr *e);
V_MUST_CHECK int outfile_commit(struct outfile *f, struct verr *e);
void outfile_deinit(struct outfile *f); /* what was not committed is gone */

/* Write all of it; `name` is for the fault. */
V_MUST_CHECK int outfile_write(int fd, const char *name, const void *bytes, size_t len,
			       struct verr *e);

/* Copy what is left of `from` to `to`; the names are for the fault. */
V_MUST_CHECK int outfile_copy(int from, const char *from_name, int to, const char *to_name,
			      struct verr *e);

#endif
