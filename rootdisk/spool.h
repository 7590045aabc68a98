/* SPDX-License-Identifier: Apache-2.0 */
/* Room on the disk for what is read twice and comes but once: a file without a name. */
#ifndef VOLT_ROOTDISK_SPOOL_H
#define VOLT_ROOTDISK_SPOOL_H

#include "base/verr.h"

/* An empty file on the file system of `beside`, gone when it is closed. Returns the descriptor. */
V_MUST_CHECK int spool_open(const char *beside, struct verr *e);

/* `*out` is `in` if that can be read twice, else a spool of all that comes from it. Takes `in`. */
V_MUST_CHECK int spool_input(int in, const char *beside, int *out, struct verr *e);

#endif
