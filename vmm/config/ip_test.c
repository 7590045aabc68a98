/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/config/ip.h"

#include "base/compiler.h"
#include "base/test.h"

static void test_good(void **state)
{
	static const struct {
		const char *text;
		int count;
		const char *words[IP_WORDS_MAX];
	} rows[] = {
		{NULL, 0, {0}},
		{"none", 0, {0}},
		{"dhcp", 1, {"dhcp"}},
		{"10.0.0.2/24", 1, {"10.0.0.2/24"}},
		{"10.0.0.2/24+10.0.0.1", 1, {"10.0.0.2/24,10.0.0.1"}},
		{"10.0.0.2/24+10.0.0.1+9.9.9.9+fd00::9",
		 1,
		 {"10.0.0.2/24,10.0.0.1,9.9.9.9,fd00::9"}},
		{"10.0.0.2/24++9.9.9.9", 1, {"10.0.0.2/24,,9.9.9.9"}},
		{"10.0.0.2/24+10.0.0.1+fd00::2/64+fd00::1",
		 2,
		 {"10.0.0.2/24,10.0.0.1", "fd00::2/64,fd00::1"}},
		{"dhcp+fd00::2/64", 2, {"dhcp", "fd00::2/64"}},
	};
	char words[IP_WORDS_MAX][IP_WORD_LEN];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct verr e = VERR_INIT;

		assert_ok(ip_parse(rows[i].text, words, &e), &e);
		assert_int_equal(ip_parse(rows[i].text, words, &e), rows[i].count);
		for (int k = 0; k < rows[i].count; k++)
			assert_string_equal(words[k], rows[i].words[k]);
	}
}

static void test_bad(void **state)
{
	static const char *const rows[][2] = {
		{"", "expected dhcp, none or ADDRESS/LENGTH"},
		{"banana", "banana: expected dhcp, none or"},
		{"10.0.0.2", "10.0.0.2: expected dhcp, none or"},
		{"10.0.0.2/33", "10.0.0.2/33: expected dhcp, none or"},
		{"10.0.0.2/", "expected dhcp, none or"},
		{"10.0.0.2/2x", "expected dhcp, none or"},
		{"fd00::2/129", "expected dhcp, none or"},
		{"x/24", "expected dhcp, none or"},
		{"dhcp+10.0.0.1", "10.0.0.1: expected dhcp, none or"},
		{"10.0.0.2/24+fd00::1", "fd00::1: expected a gateway's address of the same kind"},
		{"10.0.0.2/24+x", "expected a gateway's address"},
		{"10.0.0.2/24+10.0.0.1+", "expected a name server's address"},
		{"10.0.0.2/24++1.1.1.1+2.2.2.2+3.3.3.3+4.4.4.4", "at most 3 name servers"},
		{"dhcp+dhcp+dhcp+dhcp+dhcp", "at most 4 addresses"},
		{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/1",
		 "expected dhcp, none or"},
	};
	char words[IP_WORDS_MAX][IP_WORD_LEN];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct verr e = VERR_INIT;

		assert_fault(ip_parse(rows[i][0], words, &e), &e, VERR_INVALID, rows[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
