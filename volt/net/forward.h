/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the kernel forwards packets between interfaces, and what changes with that. */
#ifndef VOLT_VOLT_NET_FORWARD_H
#define VOLT_VOLT_NET_FORWARD_H

#include <stdbool.h>
#include <stddef.h>

#include "volt/net/record.h"

/* Files below /proc/sys/net. */
#define FORWARD4 "ipv4/ip_forward"
#define FORWARD6 "ipv6/conf/all/forwarding"

/* false also where the kernel has no such setting */
bool forward_is_on(const char *setting);
V_MUST_CHECK int forward_set(const char *setting, bool on, struct verr *e);

/* Does this set-up need it? */
bool forward_needed4(const struct net_setup *s);
bool forward_needed6(const struct net_setup *s);

/* Does another bridge of ours? */
bool forward_others_need(const struct net_setup *s, bool (*needed)(const struct net_setup *));

/* Remember in s->former what was so before the first bridge of ours. */
V_MUST_CHECK int forward_remember(struct net_setup *s, struct verr *e);

#endif
