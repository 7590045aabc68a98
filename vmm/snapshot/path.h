/* SPDX-License-Identifier: Apache-2.0 */
/* Paths in a state file: relative to its folder where that can be. */
#ifndef VOLT_VMM_SNAPSHOT_PATH_H
#define VOLT_VMM_SNAPSHOT_PATH_H

#include <limits.h>
#include <stddef.h>

#include "base/verr.h"

/*
 * `to` as it is seen from the folder `from`, both absolute, by their text alone: "../other/memory";
 * where ".." in them forbids that, as it is.
 */
V_MUST_CHECK int path_relative(const char *from, const char *to, char out[static PATH_MAX],
			       struct verr *e);

/* `path` seen from the folder `from`: itself where it is absolute. */
V_MUST_CHECK int path_join(const char *from, const char *path, char out[static PATH_MAX],
			   struct verr *e);

#endif
