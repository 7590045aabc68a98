/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses and routes of interfaces, over netlink. Each is one request and one answer. */
#ifndef VOLT_INIT_NETLINK_H
#define VOLT_INIT_NETLINK_H

#include "rootfs/volt-init/address.h"

/* -1 with errno where the kernel refuses. What is there already is replaced. */
int netlink_add_address(unsigned index, const struct address_setup *setup);
int netlink_delete_address(unsigned index, const struct address_setup *setup);

/* The default route. The gateway may lie outside the address's own network, as with /32. */
int netlink_add_route(unsigned index, const struct address *gateway);

#endif
