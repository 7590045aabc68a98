/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VOLT_VOLT_UNIX_H
#define VOLT_VOLT_UNIX_H

#include "base/verr.h"

/*
 * Connect to the Unix socket at `path`, which a `who` ("volt-vmm") serves; a fault calls it `what`
 * ("the path of --api-socket"). Returns the descriptor, the caller's, or -1.
 */
V_MUST_CHECK int unix_connect(const char *path, const char *who, const char *what, struct verr *e);

#endif
