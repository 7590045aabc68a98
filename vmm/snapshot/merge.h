/* SPDX-License-Identifier: Apache-2.0 */
/* A difference and its bases as one whole snapshot, of the same instant and with the same id. */
#ifndef VOLT_VMM_SNAPSHOT_MERGE_H
#define VOLT_VMM_SNAPSHOT_MERGE_H

#include "base/verr.h"

/* Make the snapshot `to`, a new folder, of the one at `from`. */
V_MUST_CHECK int snapshot_merge(const char *from, const char *to, struct verr *e);

#endif
