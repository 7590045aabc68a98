/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/address.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int parse(const char *text, struct address_setup *setup, struct why *why)
{
	char copy[256];

	(void)snprintf(copy, sizeof(copy), "%s", text);
	return address_parse(setup, copy, why);
}

static void expect(const struct address *address, const char *text)
{
	char shown[INET6_ADDRSTRLEN];

	assert_non_null(inet_ntop(address->family, address->bytes, shown, sizeof(shown)));
	assert_string_equal(shown, text);
}

static void what_is_understood(void **state)
{
	struct address_setup s;
	struct why why;

	(void)state;
	assert_int_equal(parse("10.1.2.3/24", &s, &why), 0);
	expect(&s.own, "10.1.2.3");
	assert_int_equal(s.prefix, 24);
	assert_int_equal(s.gateway.family, 0);
	assert_int_equal(s.servers, 0);
	assert_int_equal(parse("10.1.2.3/0,10.1.2.1,9.9.9.9,2620:fe::fe,1.1.1.1", &s, &why), 0);
	expect(&s.gateway, "10.1.2.1");
	assert_int_equal(s.servers, 3);
	expect(&s.server[1], "2620:fe::fe");
	assert_int_equal(parse("fd00::2/128,fe80::1", &s, &why), 0);
	expect(&s.own, "fd00::2");
	expect(&s.gateway, "fe80::1");
	assert_int_equal(s.prefix, 128);
	assert_int_equal(parse("10.1.2.3/32,,9.9.9.9", &s, &why), 0);
	assert_int_equal(s.gateway.family, 0);
	assert_int_equal(s.servers, 1);
	assert_int_equal(parse("10.1.2.3/32,", &s, &why), 0);
}

static void what_is_not(void **state)
{
	static const char *const rows[][2] = {
		{"", "expected ADDRESS/LENGTH"},
		{"10.1.2.3", "expected ADDRESS/LENGTH"},
		{"/24", "not an address"},
		{"10.1.2/24", "not an address"},
		{"10.1.2.256/24", "not an address"},
		{"fd00::g/24", "not an address"},
		{"10.1.2.3/", "not the length"},
		{"10.1.2.3/33", "not the length"},
		{"10.1.2.3/-1", "not the length"},
		{"10.1.2.3/24x", "not the length"},
		{"10.1.2.3/0024", "not the length"},
		{"fd00::2/129", "not the length"},
		{"10.1.2.3/24,x", "not a gateway's"},
		{"10.1.2.3/24,fd00::1", "not a gateway's"},
		{"10.1.2.3/24,10.1.2.1,", "not a name server's"},
		{"10.1.2.3/24,,x", "not a name server's"},
		{"10.1.2.3/24,,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1", "more than 3"},
	};
	struct address_setup s;
	struct why why;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(parse(rows[i][0], &s, &why), -1);
		if (!strstr(why.text, rows[i][1]))
			fail_msg("%s: %s", rows[i][0], why.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_understood),
		cmocka_unit_test(what_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
