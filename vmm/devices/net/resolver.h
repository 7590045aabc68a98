/* SPDX-License-Identifier: Apache-2.0 */
/* The name servers that a guest without the host's loopback can use. */
#ifndef VOLT_VMM_DEVICES_NET_RESOLVER_H
#define VOLT_VMM_DEVICES_NET_RESOLVER_H

#include <netinet/in.h>
#include <stddef.h>

#define RESOLVERS_MAX 3

enum resolver_kind {
	RESOLVER_AS_IT_IS, /* /etc/resolv.conf has one that a guest can use, or has none at all */
	RESOLVER_UPSTREAM, /* it leads to systemd-resolved, whose own servers are in `out` */
	RESOLVER_LOOPBACK, /* there is only one on loopback */
};

enum resolver_kind resolver_upstream(char out[RESOLVERS_MAX][INET6_ADDRSTRLEN], size_t *count);

/*
 * The usable ones of the text of a resolv.conf, up to RESOLVERS_MAX; `*loopback` becomes how many
 * others there are.
 */
size_t resolver_parse(char *text, char out[RESOLVERS_MAX][INET6_ADDRSTRLEN], size_t *loopback);

#endif
