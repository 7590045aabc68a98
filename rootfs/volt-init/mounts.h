/* SPDX-License-Identifier: Apache-2.0 */
/* The file systems that every program expects, from one table. Nothing here stops a start. */
#ifndef VOLT_INIT_MOUNTS_H
#define VOLT_INIT_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct mount_row {
	const char *type;
	const char *target;
	mode_t mode; /* of the directory, where it must be made */
	unsigned long flags;
	const char *data;
	bool writable_is_enough; /* a disk's own directory serves, where it can be written to */
};

/* The table, for tests; rows that others stand on come first. */
const struct mount_row *mounts_table(size_t *count);

/* /proc and /dev: what reading the command line and talking on the console need. */
void mounts_make_first(void);

/* And /sys: with the two before it all that an initramfs needs on the way to a root disk. */
void mounts_make_for_initrd(bool debug);

/* All the others, and the links in /dev. The umask must be 0. */
void mounts_make_rest(bool debug);

bool mounts_is_mounted(const char *target);

#endif
