/* SPDX-License-Identifier: Apache-2.0 */
/* Files of a store: whole reads and writes, durable folders, locks. */
#ifndef STELLARIUM_STORE_FILE_H
#define STELLARIUM_STORE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/verr.h"

/* Write all of it at `offset`; `name` is for the fault. */
V_MUST_CHECK int file_pwrite(int fd, const char *name, const void *bytes, size_t len,
			     uint64_t offset, struct verr *e);

/* Read up to `len` bytes at `offset`, fewer only at the file's end. */
V_MUST_CHECK int file_pread(int fd, const char *name, void *out, size_t len, uint64_t offset,
			    size_t *got, struct verr *e);

/* Make what was written durable; make the names in a folder durable. */
V_MUST_CHECK int file_sync(int fd, const char *name, struct verr *e);

/* Write a file beside `name` in the folder and rename it: whole, durable, or not there. */
V_MUST_CHECK int file_replace(int folder, const char *name, const void *bytes, size_t len,
			      struct verr *e);

/* Open a folder within one. */
V_MUST_CHECK int file_open_folder(int folder, const char *name, struct verr *e);

/* A random number from the kernel, never 0. */
V_MUST_CHECK int file_random(uint64_t *out, struct verr *e);

enum file_lock { FILE_LOCKED, FILE_BUSY, FILE_FAULT };

/* flock(): `operation` is LOCK_SH or LOCK_EX, with LOCK_NB for an answer at once. */
enum file_lock file_lock(int fd, const char *name, int operation, struct verr *e);

#endif
