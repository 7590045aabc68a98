/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the files of a root disk come from: an archive or a folder. It is read twice: first to
 * know what there is, and so how large the disk is and where everything goes; then for the content.
 */
#ifndef VOLT_VOLT_SOURCE_H
#define VOLT_VOLT_SOURCE_H

#include "volt/content.h"
#include "volt/tree.h"

struct source_owner {
	bool set; /* everything belongs to these, whatever the source says */
	uint32_t uid, gid;
};

struct source;

/* A source that is read from `fd` (borrowed, seekable): a tar, plain or packed with gzip, xz or
 * zstd. */
V_MUST_CHECK int source_open_tar(struct source **out, int fd, const struct source_owner *owner,
				 struct verr *e);

/* The files in a folder, but for other file systems that are mounted in it. */
V_MUST_CHECK int source_open_folder(struct source **out, const char *path,
				    const struct source_owner *owner, struct verr *e);

struct source *source_free(struct source *s); /* accepts NULL, returns NULL */

/* The first reading: add all files to `t`, with their contents' blocks and digests. */
V_MUST_CHECK int source_survey(struct source *s, struct tree *t, struct verr *e);

/* The second: give the content of every file that is still in the tree to `fn`. */
V_MUST_CHECK int source_copy(struct source *s, content_fn *fn, void *arg, struct verr *e);

#endif
