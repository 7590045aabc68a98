/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VOLT_VOLT_KERNEL_PICK_H
#define VOLT_VOLT_KERNEL_PICK_H

#include <stddef.h>

#include "base/verr.h"

/*
 * The path of the newest vmlinuz-* in `folder`, by its version; of those that are for the cloud,
 * which are smaller, where there are any.
 */
V_MUST_CHECK int kernel_pick(const char *folder, char *out, size_t size, struct verr *e);

#endif
