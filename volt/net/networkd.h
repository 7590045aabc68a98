/* SPDX-License-Identifier: Apache-2.0 */
/* systemd-networkd, by the programs that come with it. */
#ifndef VOLT_VOLT_NET_NETWORKD_H
#define VOLT_VOLT_NET_NETWORKD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/verr.h"

/* Does it run, for this network namespace? */
bool networkd_runs(void);

/* Have it read its files again. */
V_MUST_CHECK int networkd_reload(struct verr *e);

/* Have it set up an interface again. */
V_MUST_CHECK int networkd_reconfigure(const char *interface, struct verr *e);

/* The .network file that it uses for an interface; false: none, or that cannot be told. */
bool networkd_file(const char *interface, char *out, size_t size);

struct lease {
	char address[16], mac[18];
};

/* The leases that its DHCP server has given on the interface of this index; returns how many. */
size_t networkd_leases(unsigned index, struct lease *out, size_t max);

#endif
