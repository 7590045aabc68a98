/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's command line as Firecracker puts it together. */
#ifndef VOLT_VMM_FIRECRACKER_BOOTARGS_H
#define VOLT_VMM_FIRECRACKER_BOOTARGS_H

#include <jansson.h>

/*
 * `args` (NULL: the default ones), and what the root disk, a checked Drive or NULL, adds to them:
 * behind the last word that is for the kernel, where it wins over what was there. Caller frees;
 * NULL: out of memory.
 */
char *bootargs(const char *args, const json_t *root);

#endif
