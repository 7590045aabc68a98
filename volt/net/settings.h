/* SPDX-License-Identifier: Apache-2.0 */
/* What the user asks volt net setup for. */
#ifndef VOLT_VOLT_NET_SETTINGS_H
#define VOLT_VOLT_NET_SETTINGS_H

#include "cli/verb.h"
#include "volt/net/record.h"

enum net_option {
	NET_OPT_BRIDGE,
	NET_OPT_ADDRESS,
	NET_OPT_IPV6,
	NET_OPT_UPLINK,
	NET_OPT_DNS,
	NET_OPT_NO_DHCP,
	NET_OPT_NO_MASQUERADE,
	NET_OPT_TAP,
	NET_OPT_OWNER,
	NET_OPT_MULTI_QUEUE,
	NET_OPT_DRY_RUN,
	NET_OPTIONS
};

extern const struct verb_option net_setup_options[NET_OPTIONS];

/*
 * What the arguments alone say; ipv4.family is 0 without --address, ipv6.len is 0 and its family
 * AF_INET6 for "auto".
 */
V_MUST_CHECK int net_settings_parse(struct net_setup *s, const struct verb_args *args,
				    struct verr *e);

/*
 * A second setup of a bridge: what is not given stays, new TAP devices come beside those there are,
 * and nothing else may be different.
 */
V_MUST_CHECK int net_settings_merge(struct net_setup *s, const struct net_setup *former,
				    const struct verb_args *args, struct verr *e);

#endif
