/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a whole small file. */
#ifndef VOLT_INIT_FILE_H
#define VOLT_INIT_FILE_H

#include <stddef.h>

/*
 * The file's content followed by a NUL, in memory of its own that the caller may write to. NULL
 * with errno where that fails; EFBIG where it holds more than "limit" bytes. Never given back:
 * PID 1 reads a handful of files in its life, and most of what it reads it keeps.
 */
char *file_read(const char *path, size_t limit, size_t *size);

#endif
