/* SPDX-License-Identifier: Apache-2.0 */
/* The way back: leaves every file system that keeps data clean on its disk. */
#ifndef VOLT_INIT_UNMOUNT_H
#define VOLT_INIT_UNMOUNT_H

#include <stdbool.h>
#include <stddef.h>

struct mount_entry {
	char *target;
	char *type;
};

/*
 * Cuts the last line off "text", the content of /proc/self/mounts, of which *size bytes are left,
 * in place. False where no line is left. A line that is not understood gives two empty strings.
 */
bool unmount_last(char *text, size_t *size, struct mount_entry *entry);

/* Whether a file system of this type holds nothing that outlives the machine. */
bool unmount_skips(const char *type);

/* Unmounts in reverse order; what is in use, the root too, becomes read-only. */
void unmount_all(bool debug);

#endif
