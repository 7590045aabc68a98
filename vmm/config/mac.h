/* SPDX-License-Identifier: Apache-2.0 */
/* Ethernet addresses: from text, and made up. */
#ifndef VOLT_VMM_CONFIG_MAC_H
#define VOLT_VMM_CONFIG_MAC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

#define MAC_LEN 6

/* "02:00:00:00:00:01"; false when it is not six bytes like that. */
V_MUST_CHECK bool mac_parse(const char *text, uint8_t mac[static MAC_LEN]);

/* Of one station: no group's, and not all zero. */
bool mac_is_unicast(const uint8_t mac[static MAC_LEN]);

/*
 * An address for NIC `nic` of machine `machine`, always the same for the same two names: 02: for
 * one that is locally administered, then 40 bits of a hash.
 */
void mac_derive(const char *machine, const char *nic, uint8_t mac[static MAC_LEN]);

/* Make any 6 bytes a locally administered address of one station. */
void mac_make_local(uint8_t mac[static MAC_LEN]);

#endif
