/* SPDX-License-Identifier: Apache-2.0 */
/* Interfaces made and removed over rtnetlink. No function allocates anything. */
#ifndef VOLT_VMM_DEVICES_NET_RTNL_H
#define VOLT_VMM_DEVICES_NET_RTNL_H

#include <stdint.h>

#include "base/verr.h"

/* A socket for the calls below, in this network namespace; -1 with a fault. */
V_MUST_CHECK int rtnl_open(struct verr *e);

/* Make a macvtap in bridge mode; -1 with errno. EEXIST: something has this name. */
V_MUST_CHECK int rtnl_add_macvtap(int rtnl, const char *name, unsigned parent,
				  const uint8_t mac[static 6]);

/* Remove an interface; -1 with errno. */
int rtnl_delete(int rtnl, unsigned index);

#endif
