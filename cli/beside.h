/* SPDX-License-Identifier: Apache-2.0 */
/* Where this program is: its parts are found from there, installed or just built. */
#ifndef VOLT_CLI_BESIDE_H
#define VOLT_CLI_BESIDE_H

#include <stddef.h>

#include "base/verr.h"

/* The folder of this program, without a slash at its end. */
V_MUST_CHECK int beside_folder(char *out, size_t size, struct verr *e);

#endif
