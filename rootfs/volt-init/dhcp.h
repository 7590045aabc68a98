/* SPDX-License-Identifier: Apache-2.0 */
/* An address by DHCP. */
#ifndef VOLT_INIT_DHCP_H
#define VOLT_INIT_DHCP_H

#include <stdbool.h>

/*
 * Asks for an address on this interface, and waits for it a few seconds: then the start goes on,
 * with a line that says so. A process of its own asks, sets up what it gets, and stays: it goes on
 * asking, and renews what it got; only a lease that has no end lets it end. "servers" as in
 * resolv.h.
 */
void dhcp_up(unsigned index, const char *name, bool *servers, bool debug);

#endif
