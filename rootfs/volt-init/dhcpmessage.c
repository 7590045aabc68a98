/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/dhcpmessage.h"

#include <string.h>
#include <sys/socket.h>

#define IP_SIZE 20
#define UDP_SIZE 8
#define PROTOCOL_UDP 17
#define CLIENT_PORT 68
#define SERVER_PORT 67

/* Places in the message (RFC 2131, 2). */
enum {
	AT_OP = 0,
	AT_HTYPE = 1,
	AT_HLEN = 2,
	AT_XID = 4,
	AT_SECS = 8,
	AT_CIADDR = 12,
	AT_YIADDR = 16,
	AT_CHADDR = 28,
	AT_COOKIE = 236,
	AT_OPTIONS = 240,
};

#define OP_REQUEST 1
#define OP_REPLY 2
#define ETHERNET 1

static const uint8_t cookie[] = {99, 130, 83, 99};

enum {
	OPTION_PAD = 0,
	OPTION_MASK = 1,
	OPTION_ROUTER = 3,
	OPTION_SERVERS = 6,
	OPTION_MTU = 26,
	OPTION_ADDRESS = 50,
	OPTION_LEASE = 51,
	OPTION_TYPE = 53,
	OPTION_SERVER = 54,
	OPTION_WANTED = 55,
	OPTION_RENEW = 58,
	OPTION_REBIND = 59,
	OPTION_END = 255,
};

/* Where a server says nothing; a day is what most would have said. */
#define LEASE_DEFAULT 86400

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, (uint16_t)(value >> 16));
	put16(at + 2, (uint16_t)value);
}

static bool is_zero(const uint8_t address[4])
{
	return get32(address) == 0;
}

/* --- to the server --- */

static uint16_t checksum(const uint8_t *bytes, size_t size)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < size; i += 2)
		sum += get16(bytes + i);
	while (sum >> 16)
		sum = (sum & 0xFFFF) + (sum >> 16);
	return (uint16_t)~sum;
}

static void put_option(uint8_t **at, uint8_t option, const void *data, uint8_t size)
{
	(*at)[0] = option;
	(*at)[1] = size;
	memcpy(*at + 2, data, size);
	*at += 2 + size;
}

static void put_message(const struct dhcp_request *request, uint8_t *message)
{
	static const uint8_t wanted[] = {OPTION_MASK,  OPTION_ROUTER, OPTION_SERVERS, OPTION_MTU,
					 OPTION_LEASE, OPTION_RENEW,  OPTION_REBIND};
	uint8_t type = (uint8_t)request->type;
	uint8_t *at = message + AT_OPTIONS;

	message[AT_OP] = OP_REQUEST;
	message[AT_HTYPE] = ETHERNET;
	message[AT_HLEN] = sizeof(request->mac);
	put32(message + AT_XID, request->transaction);
	put16(message + AT_SECS, request->seconds);
	memcpy(message + AT_CIADDR, request->current, 4);
	memcpy(message + AT_CHADDR, request->mac, sizeof(request->mac));
	memcpy(message + AT_COOKIE, cookie, sizeof(cookie));
	put_option(&at, OPTION_TYPE, &type, 1);
	if (!is_zero(request->wanted))
		put_option(&at, OPTION_ADDRESS, request->wanted, 4);
	if (!is_zero(request->server))
		put_option(&at, OPTION_SERVER, request->server, 4);
	put_option(&at, OPTION_WANTED, wanted, sizeof(wanted));
	*at = OPTION_END;
}

void dhcp_build(const struct dhcp_request *request, uint8_t packet[DHCP_REQUEST_SIZE])
{
	uint8_t *udp = packet + IP_SIZE;

	memset(packet, 0, DHCP_REQUEST_SIZE);
	put_message(request, udp + UDP_SIZE);
	put16(udp, CLIENT_PORT);
	put16(udp + 2, SERVER_PORT);
	put16(udp + 4, DHCP_REQUEST_SIZE - IP_SIZE);
	packet[0] = 0x45;
	put16(packet + 2, DHCP_REQUEST_SIZE);
	packet[8] = 64;
	packet[9] = PROTOCOL_UDP;
	memcpy(packet + 12, request->current, 4);
	memset(packet + 16, 0xFF, 4);
	put16(packet + 10, checksum(packet, IP_SIZE));
}

/* --- from the server --- */

/* What UDP carries; NULL where it is not to a client, or not all of it. */
static const uint8_t *open_packet(const uint8_t *packet, size_t *size)
{
	size_t head, total, length;

	if (*size < IP_SIZE || packet[0] >> 4 != 4)
		return NULL;
	head = (size_t)(packet[0] & 15) * 4;
	total = get16(packet + 2);
	if (head < IP_SIZE || total > *size || total < head + UDP_SIZE ||
	    packet[9] != PROTOCOL_UDP || (get16(packet + 6) & 0x3FFF) != 0)
		return NULL;
	length = get16(packet + head + 4);
	if (get16(packet + head) != SERVER_PORT || get16(packet + head + 2) != CLIENT_PORT ||
	    length < UDP_SIZE || length > total - head)
		return NULL;
	*size = length - UDP_SIZE;
	return packet + head + UDP_SIZE;
}

/* A machine's own: not this network, not loopback, not a group's. */
static bool is_host(const uint8_t address[4])
{
	return address[0] != 0 && address[0] != 127 && address[0] < 224;
}

static void take_address(struct address *address, const uint8_t bytes[4])
{
	address->family = AF_INET;
	memcpy(address->bytes, bytes, 4);
}

static void take_servers(struct address_setup *setup, const uint8_t *data, size_t size)
{
	for (setup->servers = 0; size >= 4 && setup->servers < ADDRESS_SERVERS; size -= 4) {
		/* One on loopback may be the guest's own. */
		if (is_host(data) || data[0] == 127)
			take_address(&setup->server[setup->servers++], data);
		data += 4;
	}
}

static bool take_mask(struct address_setup *setup, const uint8_t data[4])
{
	uint32_t holes = ~get32(data);

	for (setup->prefix = 32; setup->prefix > 0 && holes & 1; setup->prefix--)
		holes >>= 1;
	return holes == 0;
}

static bool take_option(struct dhcp_reply *reply, uint8_t option, const uint8_t *data, size_t size)
{
	bool is_number = size == 4;

	switch (option) {
	case OPTION_TYPE:
		reply->type = size == 1 ? data[0] : 0;
		return size == 1;
	case OPTION_MASK:
		return size == 4 && take_mask(&reply->setup, data);
	case OPTION_ROUTER:
		if (size >= 4 && is_host(data))
			take_address(&reply->setup.gateway, data);
		break;
	case OPTION_SERVERS:
		take_servers(&reply->setup, data, size);
		break;
	case OPTION_MTU:
		if (size == 2)
			reply->mtu = get16(data);
		break;
	case OPTION_LEASE:
		reply->lease = is_number ? get32(data) : reply->lease;
		break;
	case OPTION_RENEW:
		reply->renew = is_number ? get32(data) : 0;
		break;
	case OPTION_REBIND:
		reply->rebind = is_number ? get32(data) : 0;
		break;
	case OPTION_SERVER:
		if (size == 4)
			memcpy(reply->server, data, 4);
		break;
	default:
		break;
	}
	return true;
}

static bool take_options(struct dhcp_reply *reply, const uint8_t *at, size_t size)
{
	while (size > 0 && *at != OPTION_END) {
		size_t length = 0;

		if (*at != OPTION_PAD) {
			if (size < 2 || (size_t)at[1] + 2 > size)
				return false;
			length = at[1];
			if (!take_option(reply, at[0], at + 2, length))
				return false;
			length++;
		}
		at += length + 1;
		size -= length + 1;
	}
	return true;
}

/* Times that are missing, or make no sense, are the usual parts of the lease (RFC 2131, 4.4.5). */
static void complete_times(struct dhcp_reply *reply)
{
	uint32_t lease = reply->lease;

	if (reply->rebind == 0 || reply->rebind > lease)
		reply->rebind = lease - lease / 8;
	if (reply->renew == 0 || reply->renew > reply->rebind)
		reply->renew = reply->rebind < lease / 2 ? reply->rebind : lease / 2;
	/* Half of a second is none, and would be asked for without a pause. */
	if (reply->renew == 0)
		reply->renew = reply->rebind;
}

bool dhcp_parse(const uint8_t *packet, size_t size, struct dhcp_reply *reply)
{
	const uint8_t *message = open_packet(packet, &size);

	*reply = (struct dhcp_reply){.lease = LEASE_DEFAULT, .setup = {.prefix = 32}};
	if (!message || size < AT_OPTIONS || message[AT_OP] != OP_REPLY ||
	    message[AT_HTYPE] != ETHERNET || message[AT_HLEN] != sizeof(reply->mac) ||
	    memcmp(message + AT_COOKIE, cookie, sizeof(cookie)) != 0)
		return false;
	reply->transaction = get32(message + AT_XID);
	memcpy(reply->mac, message + AT_CHADDR, sizeof(reply->mac));
	if (!take_options(reply, message + AT_OPTIONS, size - AT_OPTIONS))
		return false;
	complete_times(reply);
	if (reply->type == DHCP_NAK)
		return true;
	take_address(&reply->setup.own, message + AT_YIADDR);
	return (reply->type == DHCP_OFFER || reply->type == DHCP_ACK) &&
	       is_host(message + AT_YIADDR) && !is_zero(reply->server) && reply->lease > 0;
}
