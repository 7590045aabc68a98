/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interfaces made and removed over rtnetlink, by a socket that netlink_open(NETLINK_ROUTE) has
 * made. No function allocates anything.
 */
#ifndef VOLT_VMM_DEVICES_NET_RTNL_H
#define VOLT_VMM_DEVICES_NET_RTNL_H

#include <stdint.h>

#include "base/verr.h"

/* Make a macvtap in bridge mode; -1 with errno. EEXIST: something has this name. */
V_MUST_CHECK int rtnl_add_macvtap(int rtnl, const char *name, unsigned parent,
				  const uint8_t mac[static 6]);

/* Remove an interface; -1 with errno. */
int rtnl_delete(int rtnl, unsigned index);

#endif
