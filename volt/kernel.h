/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VOLT_VOLT_KERNEL_H
#define VOLT_VOLT_KERNEL_H

#include "cli/verb.h"

extern const struct verb kernel_verb;

/* Its verbs, one file each. */
extern const struct verb kernel_build_verb;
extern const struct verb kernel_extract_verb;
extern const struct verb kernel_import_verb;
extern const struct verb kernel_list_verb;
extern const struct verb kernel_path_verb;

#endif
