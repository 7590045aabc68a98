/* SPDX-License-Identifier: Apache-2.0 */
/* System calls with the details that every caller would otherwise repeat. */
#ifndef VOLT_BASE_SYS_H
#define VOLT_BASE_SYS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/verr.h"

/*
 * A descriptor for the same pipe, terminal, socket or file as `fd` (borrowed) that does not block.
 * It has an open file description of its own where the kernel gives one, so whoever shares `fd`
 * sees no change; where not (a socket, a pseudo-terminal's master, another user's terminal), the
 * shared one becomes non-blocking. A regular file is duplicated. `access` is O_RDONLY or O_WRONLY.
 * Returns the descriptor (close-on-exec) or -1.
 */
V_MUST_CHECK int sys_nonblocking(int fd, int access, struct verr *e);

/*
 * Open a file for output by its path, created with mode 0600 and appended to. A FIFO opens whether
 * or not it has a reader, and never blocks. In a folder that others can write to no link is
 * followed, symbolic or hard.
 */
V_MUST_CHECK int sys_open_output(const char *path, struct verr *e);

/* Open an existing regular file to read; `*size` in bytes. Never blocks on a FIFO. */
V_MUST_CHECK int sys_open_input(const char *path, uint64_t *size, struct verr *e);

/* Read exactly `len` bytes at `offset`; a file that ends early is a fault. */
V_MUST_CHECK int sys_pread_full(int fd, void *out, uint64_t len, uint64_t offset, struct verr *e);

/* Where temporary files go that may be large: TMPDIR, or /var/tmp, or, in a jail that has neither, ".". */
const char *sys_temporary_folder(void);

/* What to add to a fault about a file there. */
#define SYS_TEMPORARY_HINT "TMPDIR names another folder"

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t sys_now_ns(void);

/* As isatty(), without asking /dev/null and its like. */
bool sys_is_terminal(int fd);

#endif
