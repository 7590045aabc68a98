/* SPDX-License-Identifier: Apache-2.0 */
/* The names in a folder, without the C library's, which allocates. */
#ifndef VOLT_INIT_FOLDER_H
#define VOLT_INIT_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

struct folder {
	int fd;
	size_t at;
	size_t size;
	_Alignas(8) char entries[2048];
};

/* "path" is relative to the folder "from", and not followed where it is a link. False with errno
 * where it cannot be read. */
bool folder_open(struct folder *folder, int from, const char *path);

/* The next name, which lives until the call after it; not "." or "..". NULL at the end. */
const char *folder_next(struct folder *folder);

void folder_close(struct folder *folder);

#endif
