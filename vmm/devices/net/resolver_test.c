/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/devices/net/resolver.h"

#include <stdio.h>

#include "base/compiler.h"
#include "base/test.h"

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		size_t usable, loopback;
		const char *last;
	} rows[] = {
		{"", 0, 0, NULL},
		{"nameserver 9.9.9.9\n", 1, 0, "9.9.9.9"},
		{"nameserver 127.0.0.53\noptions edns0\nsearch .\n", 0, 1, NULL},
		{"# nameserver 1.1.1.1\n;nameserver 1.1.1.1\nnameserver\nnameserver x\n", 0, 0,
		 NULL},
		{" \tnameserver\t::1 \r\nnameserver fd00::1\r\nnameserver 127.9.9.9", 1, 2,
		 "fd00::1"},
		{"nameserver 1.1.1.1\nnameserver 2.2.2.2\nnameserver 3.3.3.3\nnameserver 4.4.4.4",
		 3, 0, "3.3.3.3"},
	};
	char out[RESOLVERS_MAX][INET6_ADDRSTRLEN], text[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t loopback;

		(void)snprintf(text, sizeof(text), "%s", rows[i].text);
		assert_int_equal(resolver_parse(text, out, &loopback), rows[i].usable);
		assert_int_equal(loopback, rows[i].loopback);
		if (rows[i].last != NULL)
			assert_string_equal(out[rows[i].usable - 1], rows[i].last);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
