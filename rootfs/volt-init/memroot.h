/* SPDX-License-Identifier: Apache-2.0 */
/* Whether "/" is in memory: an initramfs, from which there may be a disk to go on to. */
#ifndef VOLT_INIT_MEMROOT_H
#define VOLT_INIT_MEMROOT_H

#include <stdbool.h>

bool memroot_is(void);

#endif
