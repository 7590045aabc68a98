/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Firecracker's configuration file: the bodies of requests, each under the name of its resource.
 * They go the way that requests go, so they are checked as those are.
 */
#ifndef VOLT_VMM_FIRECRACKER_CONFIG_FILE_H
#define VOLT_VMM_FIRECRACKER_CONFIG_FILE_H

#include <stddef.h>

#include "base/verr.h"

struct firecracker;

V_MUST_CHECK int fc_config_file_load(struct firecracker *f, const char *path, struct verr *e);

/* The same, of text; for fc_config_file_load() and who tests it. */
V_MUST_CHECK int fc_config_file_parse(struct firecracker *f, const char *text, size_t len,
				      struct verr *e);

#endif
