/* SPDX-License-Identifier: Apache-2.0 */
/* The recipe of Volt's own guest kernel: kernel/build of the source tree, or as installed. */
#ifndef VOLT_VOLT_RECIPE_H
#define VOLT_VOLT_RECIPE_H

#include <stddef.h>

#include "base/verr.h"

/* Where it is: $VOLT_KERNEL_RECIPE, or beside this program. */
V_MUST_CHECK int recipe_find(char *out, size_t size, struct verr *e);

/*
 * Run it, which may take minutes; it reports on stderr. `output` is its -o, or NULL. `folder`
 * receives the folder that it names, which has vmlinux, bzImage and config in it.
 */
V_MUST_CHECK int recipe_run(const char *recipe, const char *output, char *folder, size_t size,
			    struct verr *e);

#endif
