/* SPDX-License-Identifier: Apache-2.0 */
/* Swap space of /etc/fstab. */
#ifndef VOLT_INIT_SWAP_H
#define VOLT_INIT_SWAP_H

#include <stdbool.h>

/* "options" as in fstab(5): "pri=N" and "discard" mean something. False with errno. */
bool swap_on(const char *path, const char *options);

/* The number that swapon(2) takes for them. */
int swap_flags(const char *options);

/* A swap file keeps its file system from being made read-only. */
void swap_off_all(bool debug);

#endif
