/* SPDX-License-Identifier: Apache-2.0 */
/* A snapshot's state, as the user names it: the file itself, or the folder that it is in. */
#ifndef VOLT_VOLT_SNAPSHOT_FILE_H
#define VOLT_VOLT_SNAPSHOT_FILE_H

#include "vmm/state/file.h"

/* `folder`: what relative paths in it are relative to; to be closed by the caller. NULL: no need.
 */
V_MUST_CHECK int snapshot_file_open(const char *path, struct state_reader **out, int *folder,
				    struct verr *e);

#endif
