/* SPDX-License-Identifier: Apache-2.0 */
/* What a disk says that is on it. Its bytes are anybody's: only its own mount takes them for more.
 */
#ifndef VOLT_INIT_SUPERBLOCK_H
#define VOLT_INIT_SUPERBLOCK_H

#include <stdbool.h>

struct superblock {
	const char *type; /* as mount(2) calls it, or "swap" */
	char uuid[37];    /* lower case; "" where it has none */
	char label[257];  /* "" where it has none */
};

/* False where nothing is on it that is known, or it cannot be read. */
bool superblock_read(int fd, struct superblock *out);

#endif
