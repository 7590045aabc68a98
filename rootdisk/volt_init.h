/* SPDX-License-Identifier: Apache-2.0 */
/* volt-init, the program for guests: the one that belongs to this program. */
#ifndef VOLT_ROOTDISK_VOLT_INIT_H
#define VOLT_ROOTDISK_VOLT_INIT_H

#include <stddef.h>

#include "base/verr.h"

/* Where its file is, installed or just built. */
V_MUST_CHECK int volt_init_find(char *out, size_t size, struct verr *e);

#endif
