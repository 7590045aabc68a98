/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/dhcpmessage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define SPACE 1600
#define MESSAGE 28 /* behind the headers of IPv4 and UDP */
#define OPTIONS (MESSAGE + 240)

struct packet {
	uint8_t bytes[SPACE];
	size_t size;
};

static void put16(uint8_t *at, size_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* The lengths in the headers are those of the packet. */
static void fit(struct packet *p)
{
	put16(p->bytes + 2, p->size);
	put16(p->bytes + 24, p->size - 20);
}

static void begin(struct packet *p, uint8_t type)
{
	static const uint8_t head[] = {2, 1, 6, 0, 1, 2, 3, 4};

	memset(p, 0, sizeof(*p));
	p->bytes[0] = 0x45;
	p->bytes[9] = 17;
	put16(p->bytes + 20, 67);
	put16(p->bytes + 22, 68);
	memcpy(p->bytes + MESSAGE, head, sizeof(head));
	memcpy(p->bytes + MESSAGE + 16, "\x0a\0\0\x02", 4);
	memcpy(p->bytes + MESSAGE + 28, "\x02\0\0\0\0\x09", 6);
	memcpy(p->bytes + MESSAGE + 236, "\x63\x82\x53\x63", 4);
	memcpy(p->bytes + OPTIONS, "\x35\x01", 2);
	p->bytes[OPTIONS + 2] = type;
	p->size = OPTIONS + 3;
	fit(p);
}

static void add(struct packet *p, const char *bytes, size_t size)
{
	memcpy(p->bytes + p->size, bytes, size);
	p->size += size;
	fit(p);
}

#define ADD(p, text) add(p, text, sizeof(text) - 1)
#define SERVER "\x36\x04\x0a\0\0\x01"

static void offer(struct packet *p, const char *more, size_t size)
{
	begin(p, DHCP_OFFER);
	ADD(p, SERVER);
	add(p, more, size);
	ADD(p, "\xff");
}

static bool parses(const struct packet *p, struct dhcp_reply *reply)
{
	/* Beyond the packet is nothing: a sanitizer's word for it. */
	uint8_t *copy = malloc(p->size + 1);
	bool good;

	assert_non_null(copy);
	memcpy(copy + 1, p->bytes, p->size);
	good = dhcp_parse(copy + 1, p->size, reply);
	free(copy);
	return good;
}

static void assert_address(const struct address *address, const char bytes[4])
{
	assert_int_equal(address->family, AF_INET);
	assert_memory_equal(address->bytes, bytes, 4);
}

static void everything_is_taken(void **state)
{
	struct dhcp_reply reply;
	struct packet p;

	(void)state;
	begin(&p, DHCP_ACK);
	ADD(&p, "\0\0\x01\x04\xff\xff\xff\0");
	ADD(&p, "\x03\x08\x0a\0\0\x01\x0a\0\0\xfe");
	ADD(&p, "\x06\x10\x0a\0\0\x05\x09\x09\x09\x09\x01\x01\x01\x01\x08\x08\x08\x08");
	ADD(&p, "\x1a\x02\x05\x78\x33\x04\0\0\x0e\x10" SERVER);
	ADD(&p, "\x3a\x04\0\0\x03\x84\x3b\x04\0\0\x0b\xb8\x0c\x03xyz\xff garbage");
	assert_true(parses(&p, &reply));
	assert_int_equal(reply.type, DHCP_ACK);
	assert_int_equal(reply.transaction, 0x01020304);
	assert_memory_equal(reply.mac, "\x02\0\0\0\0\x09", 6);
	assert_memory_equal(reply.server, "\x0a\0\0\x01", 4);
	assert_address(&reply.setup.own, "\x0a\0\0\x02");
	assert_int_equal(reply.setup.prefix, 24);
	assert_address(&reply.setup.gateway, "\x0a\0\0\x01");
	assert_int_equal(reply.setup.servers, 3);
	assert_address(&reply.setup.server[0], "\x0a\0\0\x05");
	assert_address(&reply.setup.server[2], "\x01\x01\x01\x01");
	assert_int_equal(reply.mtu, 1400);
	assert_int_equal(reply.lease, 3600);
	assert_int_equal(reply.renew, 900);
	assert_int_equal(reply.rebind, 3000);
}

static void what_is_missing_has_defaults(void **state)
{
	struct dhcp_reply reply;
	struct packet p;

	(void)state;
	offer(&p, "", 0);
	assert_true(parses(&p, &reply));
	assert_int_equal(reply.setup.prefix, 32);
	assert_int_equal(reply.setup.gateway.family, 0);
	assert_int_equal(reply.setup.servers, 0);
	assert_int_equal(reply.mtu, 0);
	assert_int_equal(reply.lease, 86400);
	assert_int_equal(reply.renew, 43200);
	assert_int_equal(reply.rebind, 75600);
	/* Also without a mark at the end. */
	p.size--;
	fit(&p);
	assert_true(parses(&p, &reply));
}

static void times_are_in_order(void **state)
{
	static const struct {
		const char *text;
		size_t size;
		uint32_t lease, renew, rebind;
	} rows[] = {
		{"\x33\x04\xff\xff\xff\xff", 6, DHCP_FOR_EVER, 0x7fffffff, 0xe0000000},
		{"\x33\x04\0\0\0\x01", 6, 1, 1, 1},
		{"\x33\x04\0\0\0\x02", 6, 2, 1, 2},
		{"\x33\x04\0\0\0\x64\x3a\x04\0\0\x01\0", 12, 100, 50, 88},
		{"\x33\x04\0\0\0\x64\x3b\x04\0\0\0\x0a", 12, 100, 10, 10},
		{"\x33\x02\0\x64\x3a\x01\x01", 7, 86400, 43200, 75600},
	};
	struct dhcp_reply reply;
	struct packet p;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		offer(&p, rows[i].text, rows[i].size);
		assert_true(parses(&p, &reply));
		assert_int_equal(reply.lease, rows[i].lease);
		assert_int_equal(reply.renew, rows[i].renew);
		assert_int_equal(reply.rebind, rows[i].rebind);
	}
}

static void odd_options_are_refused_or_passed_over(void **state)
{
	static const struct {
		const char *text;
		size_t size;
		bool good;
	} rows[] = {
		{"\x01\x04\xff\xff\xff\xfe", 6, true},
		{"\x01\x04\xff\0\xff\0", 6, false},
		{"\x01\x04\0\0\0\0", 6, true},
		{"\x01\x03\xff\xff\xff", 5, false},
		{"\x03\x03\x0a\0\0", 5, true},
		{"\x03\0", 2, true},
		{"\x06\x05\x09\x09\x09\x09\x09", 7, true},
		{"\x1a\x01\x05", 3, true},
		{"\x33\x04\0\0\0\0", 6, false},
		{"\x35\x02\x02\x02", 4, false},
		{"\x35\x01\x05", 3, true},
		{"\x35\x01\x01", 3, false},
		{"\x36\x03\x0a\0\0", 5, true},
		{"\x0c\xff", 2, false},
		{"\x0c", 1, false},
		{"\x36\x04\0\0\0\0", 6, false},
	};
	struct dhcp_reply reply;
	struct packet p;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin(&p, DHCP_OFFER);
		ADD(&p, SERVER);
		add(&p, rows[i].text, rows[i].size);
		assert_int_equal(parses(&p, &reply), rows[i].good);
	}
}

static void addresses_that_no_machine_has(void **state)
{
	static const char bad[][4] = {{0},
				      {0, 1, 2, 3},
				      {127, 0, 0, 1},
				      {(char)224, 0, 0, 1},
				      {(char)255, (char)255, (char)255, (char)255}};
	struct dhcp_reply reply;
	struct packet p;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		offer(&p, "", 0);
		memcpy(p.bytes + MESSAGE + 16, bad[i], 4);
		assert_false(parses(&p, &reply));
	}
	/* A refusal has none, and no server need be named. */
	begin(&p, DHCP_NAK);
	memset(p.bytes + MESSAGE + 16, 0, 4);
	assert_true(parses(&p, &reply));
	assert_int_equal(reply.type, DHCP_NAK);
	/* An offer without a server cannot be asked for. */
	begin(&p, DHCP_OFFER);
	assert_false(parses(&p, &reply));
}

static void what_is_no_answer(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
	} rows[] = {
		{0, 0x65},
		{0, 0x44},
		{0, 0x4f},
		{2, 0xff},
		{6, 0x20},
		{7, 0x01},
		{9, 6},
		{21, 68},
		{23, 67},
		{24, 0xff},
		{MESSAGE, 1},
		{MESSAGE + 1, 2},
		{MESSAGE + 2, 16},
		{MESSAGE + 236, 0},
		{MESSAGE + 239, 0},
		{OPTIONS + 2, 0},
		{OPTIONS + 2, 7},
		{OPTIONS + 1, 0},
	};
	struct dhcp_reply reply;
	struct packet p;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		offer(&p, "", 0);
		p.bytes[rows[i].at] = rows[i].value;
		assert_false(parses(&p, &reply));
	}
}

static void cut_off_anywhere(void **state)
{
	struct dhcp_reply reply;
	struct packet p;
	size_t whole;

	(void)state;
	offer(&p, "\x01\x04\xff\xff\xff\0\x06\x04\x09\x09\x09\x09", 12);
	whole = p.size;
	for (p.size = 0; p.size < whole; p.size++)
		assert_false(parses(&p, &reply));
	/* The same with headers that say so. */
	for (p.size = 28; p.size < OPTIONS + 9; p.size++) {
		fit(&p);
		assert_false(parses(&p, &reply));
	}
	/* More behind it than the header says is padding. */
	p.size = whole;
	fit(&p);
	p.size += 20;
	assert_true(parses(&p, &reply));
	/* A header of IPv4 with options. */
	memmove(p.bytes + 24, p.bytes + 20, whole - 20);
	p.bytes[0] = 0x46;
	put16(p.bytes + 2, whole + 4);
	assert_true(parses(&p, &reply));
}

static void requests_are_whole(void **state)
{
	struct dhcp_request request = {.type = DHCP_REQUEST,
				       .transaction = 0xA1B2C3D4,
				       .seconds = 7,
				       .mac = {2, 0, 0, 0, 0, 9},
				       .wanted = {10, 0, 0, 2},
				       .server = {10, 0, 0, 1}};
	uint8_t packet[DHCP_REQUEST_SIZE];
	uint32_t sum = 0;

	(void)state;
	dhcp_build(&request, packet);
	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)(packet[i] << 8 | packet[i + 1]);
	assert_int_equal((sum & 0xFFFF) + (sum >> 16), 0xFFFF);
	assert_memory_equal(packet + 12, "\0\0\0\0\xff\xff\xff\xff\0\x44\0\x43", 12);
	assert_memory_equal(packet + MESSAGE, "\x01\x01\x06\0\xa1\xb2\xc3\xd4\0\x07", 10);
	assert_memory_equal(packet + OPTIONS, "\x35\x01\x03\x32\x04\x0a\0\0\x02" SERVER, 15);
	request = (struct dhcp_request){.type = DHCP_REQUEST, .current = {10, 0, 0, 2}};
	dhcp_build(&request, packet);
	assert_memory_equal(packet + 12, "\x0a\0\0\x02", 4);
	assert_memory_equal(packet + MESSAGE + 12, "\x0a\0\0\x02", 4);
	assert_memory_equal(packet + OPTIONS, "\x35\x01\x03\x37", 4);
	/* To a client it means nothing. */
	assert_false(dhcp_parse(packet, sizeof(packet), &(struct dhcp_reply){0}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_taken),
		cmocka_unit_test(what_is_missing_has_defaults),
		cmocka_unit_test(times_are_in_order),
		cmocka_unit_test(odd_options_are_refused_or_passed_over),
		cmocka_unit_test(addresses_that_no_machine_has),
		cmocka_unit_test(what_is_no_answer),
		cmocka_unit_test(cut_off_anywhere),
		cmocka_unit_test(requests_are_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
