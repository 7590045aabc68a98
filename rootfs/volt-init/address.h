/* SPDX-License-Identifier: Apache-2.0 */
/* What volt.ip= says: an address with its network, and perhaps a gateway and name servers. */
#ifndef VOLT_INIT_ADDRESS_H
#define VOLT_INIT_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "rootfs/volt-init/why.h"

/* As many as resolvers ask. */
#define ADDRESS_SERVERS 3

struct address {
	int family; /* AF_INET, AF_INET6; 0: none */
	unsigned char bytes[16];
};

struct address_setup {
	struct address own, gateway;
	unsigned prefix; /* bits of the network in "own" */
	size_t servers;
	struct address server[ADDRESS_SERVERS];
};

/* The bytes of an address of this family. */
size_t address_size(int family);

/*
 * Reads "ADDR/LEN[,GATEWAY[,SERVER...]]", of which the gateway may be empty; it is of the address's
 * family, a server of either. "text" is cut up. -1 with the reason where it is not so.
 */
int address_parse(struct address_setup *setup, char *text, struct why *why);

#endif
