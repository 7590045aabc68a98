/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TAP device as a NIC's backend: one that there is, one that is made for this process and goes
 * with it, or descriptors of one that somebody else has opened.
 */
#ifndef VOLT_VMM_DEVICES_NET_TAP_H
#define VOLT_VMM_DEVICES_NET_TAP_H

#include "vmm/devices/net/backend.h"

struct tap_options {
	const char *name;   /* NULL: the kernel names a new one */
	const char *fds;    /* "N" or "N:N": one descriptor a pair, which becomes ours; or NULL */
	const char *bridge; /* the TAP becomes a port of it; or NULL; not of a macvtap */
	const char *parent; /* a macvtap is made on it; or NULL */
	uint8_t mac[6];     /* of a macvtap that is made */
	bool mac_is_given;  /* another macvtap has it, or there is a fault */
	bool watch;         /* notice when it goes: nobody will read its frames */
	uint32_t mtu;       /* 0: as it is */
	uint16_t pairs;
};

/* Faults say what the user can do about them. Nothing that was made outlives a fault. */
V_MUST_CHECK int tap_new(const struct tap_options *options, struct net_backend **out,
			 struct verr *e);

/*
 * The same for a macvtap: one that is made on `parent`, and goes with this process however that
 * ends; else one that there is. In bridge mode, for its own address and no others: the backend says
 * which.
 */
V_MUST_CHECK int macvtap_new(const struct tap_options *options, struct net_backend **out,
			     struct verr *e);

/* Is a macvtap what they name? Else a TAP device, or nothing. */
bool tap_is_of_macvtap(const struct tap_options *options);

/* Its name on the host. */
const char *tap_name(const struct net_backend *backend);

#endif
