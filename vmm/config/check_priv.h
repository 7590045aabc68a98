/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of config_check(), for the files of this room only. */
#ifndef VOLT_VMM_CONFIG_CHECK_PRIV_H
#define VOLT_VMM_CONFIG_CHECK_PRIV_H

#include "vmm/config/config.h"

/* check_sandbox.c */
V_MUST_CHECK int config_check_sandbox(const struct config *c, struct verr *e);

#endif
