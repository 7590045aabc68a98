/* SPDX-License-Identifier: Apache-2.0 */
/* Network interfaces of the host, by name, over ioctls. */
#ifndef VOLT_VMM_DEVICES_NET_LINK_H
#define VOLT_VMM_DEVICES_NET_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/verr.h"

/* A socket for the calls below; -1 with a fault. */
V_MUST_CHECK int link_open(struct verr *e);

/* 0: there is no such interface. */
unsigned link_index(int link, const char *name);

/* Is there one of this index? */
bool link_exists(int link, unsigned index);

/* A descriptor, non-blocking, that is readable when interfaces change; -1 with a fault. */
V_MUST_CHECK int link_watch(struct verr *e);

/* Its address; false: there is no such interface. */
V_MUST_CHECK bool link_get_mac(int link, const char *name, uint8_t mac[static 6]);

/* Is it a macvtap? False also where that cannot be told. */
bool link_is_macvtap(const char *name);

/* Queues of a TAP device that some process has open; 0 also where that cannot be told. */
uint32_t link_open_queues(const char *name);

/* Bring it up, if it is not. */
V_MUST_CHECK int link_up(int link, const char *name, struct verr *e);

/*
 * The same, for one that is to have all multicast frames, which IPv6 needs; `*all` becomes whether
 * it has. A fault keeps the errno.
 */
V_MUST_CHECK int link_up_for_all(int link, const char *name, bool *all, struct verr *e);

/*
 * Give it this MTU; 0: leave it. `*mtu` becomes what a guest may count on. An interface whose MTU
 * this process may not change is good for a smaller one.
 */
V_MUST_CHECK int link_set_mtu(int link, const char *name, uint32_t wanted, uint16_t *mtu,
			      struct verr *e);

/* A fault unless there is a bridge of this name. */
V_MUST_CHECK int link_check_bridge(int link, const char *bridge, struct verr *e);

/* Make it a port of the bridge, unless it is one. */
V_MUST_CHECK int link_join_bridge(int link, const char *bridge, const char *name, struct verr *e);

#endif
