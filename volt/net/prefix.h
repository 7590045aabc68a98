/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses with the length of their network: 10.86.0.1/24, fd00:86::1/64. */
#ifndef VOLT_VOLT_NET_PREFIX_H
#define VOLT_VOLT_NET_PREFIX_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/verr.h"

struct prefix {
	int family; /* AF_INET, AF_INET6; 0: none */
	uint8_t bytes[16];
	uint8_t len; /* bits of the network */
};

#define PREFIX_TEXT (INET6_ADDRSTRLEN + 4)

size_t prefix_size(const struct prefix *p); /* bytes of the address */

/* Read ADDRESS/LENGTH; false: it is none. */
bool prefix_parse(struct prefix *p, const char *text);

/* Returns `out`, of PREFIX_TEXT bytes: ADDRESS/LENGTH, ADDRESS alone, NETWORK/LENGTH. */
const char *prefix_text(const struct prefix *p, char *out);
const char *prefix_address(const struct prefix *p, char *out);
const char *prefix_network(const struct prefix *p, char *out);

bool prefix_equal(const struct prefix *a, const struct prefix *b);

/* Is an address in both? Those of two families have none in common. */
bool prefix_overlaps(const struct prefix *a, const struct prefix *b);

/*
 * Is it good for the host's end of a network of guests? An address of IPv4 in a network of at least
 * two, or one of IPv6 in a network of length 64, of which guests make their own.
 */
V_MUST_CHECK int prefix_check(const struct prefix *p, const char *text, struct verr *e);

#endif
