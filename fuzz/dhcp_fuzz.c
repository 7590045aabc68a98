/* SPDX-License-Identifier: Apache-2.0 */
/* Any packet to a DHCP client: what it takes for an answer is one that can be set up. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "rootfs/volt-init/dhcpmessage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check(const struct dhcp_reply *reply)
{
	const struct address_setup *setup = &reply->setup;

	must(reply->type == DHCP_OFFER || reply->type == DHCP_ACK || reply->type == DHCP_NAK);
	must(reply->renew <= reply->rebind && reply->rebind <= reply->lease);
	must(setup->prefix <= 32 && setup->servers <= ADDRESS_SERVERS);
	must(setup->gateway.family == 0 || setup->gateway.family == AF_INET);
	for (size_t i = 0; i < setup->servers; i++)
		must(setup->server[i].family == AF_INET);
	if (reply->type == DHCP_NAK)
		return;
	must(setup->own.family == AF_INET && reply->lease > 0 && reply->renew > 0);
	must(setup->own.bytes[0] != 0 && setup->own.bytes[0] != 127 && setup->own.bytes[0] < 224);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Of exactly the size: one byte too many is a finding. */
	uint8_t *packet = malloc(size);
	struct dhcp_reply reply;

	must(packet != NULL || size == 0);
	if (size > 0)
		memcpy(packet, data, size);
	if (dhcp_parse(packet, size, &reply))
		check(&reply);
	free(packet);
	return 0;
}
