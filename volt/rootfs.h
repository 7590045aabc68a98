/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VOLT_VOLT_ROOTFS_H
#define VOLT_VOLT_ROOTFS_H

#include "cli/verb.h"

extern const struct verb rootfs_verb;

/* Its verbs, one file each. */
extern const struct verb rootfs_build_verb;

#endif
