/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the host's firewall lets guests' packets through. */
#ifndef VOLT_VOLT_NET_FIREWALL_H
#define VOLT_VOLT_NET_FIREWALL_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Is there a chain of nftables' that drops what is forwarded unless a rule of it allows that? Its
 * family, table and name go to `chain`. Needs root's rights and nft: else false.
 */
bool firewall_drops(char *chain, size_t size);

/* The same, of what "nft -j list chains" says. */
bool firewall_find_drop(const char *listing, char *chain, size_t size);

#endif
