/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ports of the host that lead into the guest: "[ADDRESS:]HOSTPORT:GUESTPORT[/tcp|/udp]", with '+'
 * between. Both ports may be ranges of one length, "FIRST-LAST".
 */
#ifndef VOLT_VMM_CONFIG_PUBLISH_H
#define VOLT_VMM_CONFIG_PUBLISH_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/verr.h"

/* One NIC's; passt has no limit below this. */
#define PUBLISH_MAX 128

/* Ports of one range: passt opens a socket or two for each. */
#define PUBLISH_RANGE_MAX 4096

struct publish {
	int family; /* AF_INET, AF_INET6; AF_UNSPEC: every address of the host */
	char address[INET6_ADDRSTRLEN]; /* without brackets; "" with AF_UNSPEC */
	uint16_t host, guest;           /* the first ones */
	uint16_t count;                 /* how many of each, one after the other */
	bool udp;
};

/*
 * Parse a whole list (NULL: an empty one) into `out`, which has room for PUBLISH_MAX; returns how
 * many, or -1 with what was expected. A host port stands in it once for TCP and once for UDP.
 */
V_MUST_CHECK int publish_parse(const char *text, struct publish *out, struct verr *e);

#endif
