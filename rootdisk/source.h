/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the files of a root disk come from: an archive or a folder. It is read twice: first to
 * know what there is, and so how large the disk is and where everything goes; then for the content.
 */
#ifndef VOLT_ROOTDISK_SOURCE_H
#define VOLT_ROOTDISK_SOURCE_H

#include "rootdisk/content.h"
#include "rootdisk/tree.h"

struct source_owner {
	bool set; /* everything belongs to these, whatever the source says */
	uint32_t uid, gid;
};

/* "root", or numbers as "1000:1000". */
V_MUST_CHECK int source_parse_owner(const char *text, struct source_owner *out, struct verr *e);

struct source;

/* Does `fd`, a file, have a tar in it, plain or packed as source_open_tar() knows it? One that has
 * no entry is none: a disk that begins with zeros looks like that. */
V_MUST_CHECK int source_is_tar(int fd, bool *is, struct verr *e);

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
