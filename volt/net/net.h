/* SPDX-License-Identifier: Apache-2.0 */
/* volt net: the host's network for guests. */
#ifndef VOLT_VOLT_NET_NET_H
#define VOLT_VOLT_NET_NET_H

#include "cli/verb.h"

extern const struct verb net_verb, net_setup_verb, net_teardown_verb, net_status_verb;

#endif
