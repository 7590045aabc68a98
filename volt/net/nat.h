/* SPDX-License-Identifier: Apache-2.0 */
/* Masquerading: the bridge's own nftables table, and those of systemd-networkd. */
#ifndef VOLT_VOLT_NET_NAT_H
#define VOLT_VOLT_NET_NAT_H

#include <stdbool.h>
#include <stddef.h>

#include "volt/net/record.h"

/* Is nft there? */
bool nat_has_nft(void);

/* The commands that make the bridge's table, to be freed; NULL: out of memory. */
char *nat_commands(const struct net_setup *s);

/* Its name. */
void nat_table_name(const struct net_setup *s, char *out, size_t size);

bool nat_has_table(const struct net_setup *s);
V_MUST_CHECK int nat_add_table(const struct net_setup *s, struct verr *e);
V_MUST_CHECK int nat_remove_table(const struct net_setup *s, struct verr *e);

/* systemd-networkd makes its tables when it first needs them, and leaves them empty. */
bool nat_networkd_has_tables(void);
bool nat_networkd_is_empty(const struct net_setup *but); /* but for its networks; or NULL */
V_MUST_CHECK int nat_networkd_remove(struct verr *e);

#endif
