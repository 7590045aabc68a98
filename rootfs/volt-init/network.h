/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's network interfaces: up, with the addresses of volt.ip= and volt.ip.NAME=. */
#ifndef VOLT_INIT_NETWORK_H
#define VOLT_INIT_NETWORK_H

#include "rootfs/volt-init/options.h"

/*
 * Brings every interface up and gives them what the options say; name servers go to
 * /etc/resolv.conf. What fails costs a line, not the start. Needs a writable / for the name
 * servers.
 */
void network_up(struct options *options);

#endif
