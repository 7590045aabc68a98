/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DHCP's messages (RFC 2131, 2132) as IPv4 packets: a client without an address can neither send
 * nor receive them by a socket of UDP's. Nothing here knows of sockets or time.
 */
#ifndef VOLT_INIT_DHCPMESSAGE_H
#define VOLT_INIT_DHCPMESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "rootfs/volt-init/address.h"

/* IPv4's header, UDP's, and the smallest message that every server takes. */
#define DHCP_REQUEST_SIZE (20 + 8 + 300)

/* The longest packet that is looked at. */
#define DHCP_REPLY_MAX 1500

#define DHCP_FOR_EVER UINT32_MAX

enum dhcp_type {
	DHCP_DISCOVER = 1,
	DHCP_OFFER = 2,
	DHCP_REQUEST = 3,
	DHCP_ACK = 5,
	DHCP_NAK = 6,
};

struct dhcp_request {
	enum dhcp_type type;
	uint32_t transaction;
	uint16_t seconds; /* since the first of its kind */
	uint8_t mac[6];
	uint8_t current[4]; /* the address that is to be kept; zero: there is none yet */
	uint8_t wanted[4];  /* the address that was offered, and by whom; zero: none */
	uint8_t server[4];
};

struct dhcp_reply {
	enum dhcp_type type;
	uint32_t transaction;
	uint8_t mac[6];
	uint8_t server[4]; /* zero where it is not said */
	uint16_t mtu;      /* 0: it is not said */
	uint32_t lease;    /* seconds, or DHCP_FOR_EVER; so are the next two */
	uint32_t renew, rebind;
	struct address_setup setup;
};

/* Writes the packet, to be sent to everybody. */
void dhcp_build(const struct dhcp_request *request, uint8_t packet[DHCP_REQUEST_SIZE]);

/*
 * Reads an IPv4 packet, from whomever. False where it is no OFFER, ACK or NAK, or an OFFER or ACK
 * that a client could not use: an address that no machine can have, a mask with holes, no server.
 */
bool dhcp_parse(const uint8_t *packet, size_t size, struct dhcp_reply *reply);

#endif
