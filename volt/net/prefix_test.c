/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/net/prefix.h"

#include "base/test.h"

static struct prefix of(const char *text)
{
	struct prefix p;

	assert_true(prefix_parse(&p, text));
	return p;
}

static void test_text(void **state)
{
	struct prefix p = of("10.86.7.1/22");
	char out[PREFIX_TEXT];

	(void)state;
	assert_string_equal(prefix_text(&p, out), "10.86.7.1/22");
	assert_string_equal(prefix_address(&p, out), "10.86.7.1");
	assert_string_equal(prefix_network(&p, out), "10.86.4.0/22");
	p = of("fd00:86:1:2:3::1/64");
	assert_string_equal(prefix_network(&p, out), "fd00:86:1:2::/64");
	p = of("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128");
	assert_string_equal(prefix_network(&p, out), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128");
}

static void test_none(void **state)
{
	static const char *const bad[] = {
		"",
		"/",
		"10.86.0.1",
		"10.86.0.1/",
		"10.86.0.1/33",
		"10.86.0.1/x",
		"10.86.0/24",
		"10.86.0.1/0024",
		"10.86.0.1/24 ",
		"10.86.0.1/-1",
		"::1/129",
		":/64",
		"10.86.0.256/24",
		"fd00::1/64/64",
		"1.2.3.4/4294967320",
	};
	char much[300];
	struct prefix p;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (prefix_parse(&p, bad[i]))
			fail_msg("\"%s\" was taken", bad[i]);
	memset(much, '1', sizeof(much));
	memcpy(much + 290, "/24", 4);
	assert_false(prefix_parse(&p, much));
}

static void test_overlaps(void **state)
{
	static const struct {
		const char *a, *b;
		bool overlaps;
	} rows[] = {
		{"10.86.0.1/24", "10.86.0.128/25", true},
		{"10.86.0.1/24", "10.0.0.0/8", true},
		{"10.86.0.1/24", "10.86.1.0/24", false},
		{"10.86.0.1/24", "10.86.0.200/32", true},
		{"10.86.0.1/23", "10.86.1.0/24", true},
		{"10.86.0.1/24", "fd00::/8", false},
		{"fd00:1::1/64", "fd00:1::/48", true},
		{"fd00:1::1/64", "fd00:1:0:1::/64", false},
		{"10.86.0.1/24", "192.168.0.0/16", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct prefix a = of(rows[i].a), b = of(rows[i].b);

		assert_int_equal(prefix_overlaps(&a, &b), rows[i].overlaps);
		assert_int_equal(prefix_overlaps(&b, &a), rows[i].overlaps);
	}
}

static void test_check(void **state)
{
	static const struct {
		const char *text, *fault;
	} rows[] = {
		{"10.86.0.1/24", NULL},
		{"192.168.3.253/30", NULL},
		{"192.168.3.254/30", NULL},
		{"192.168.3.252/30", "first or last"},
		{"10.86.0.2/31", "a length of 8 to 30"},
		{"10.86.0.1/7", "a length of 8 to 30"},
		{"10.86.0.0/24", "first or last"},
		{"10.86.0.255/24", "first or last"},
		{"127.0.0.1/24", "of no special kind"},
		{"224.0.0.1/24", "of no special kind"},
		{"169.254.1.1/24", "of no special kind"},
		{"0.1.2.3/24", "of no special kind"},
		{"fd00:86::1/64", NULL},
		{"fd00:86::1/48", "a length of 64"},
		{"fd00:86::/64", "first address"},
		{"fe80::1/64", "of no special kind"},
		{"ff02::1/64", "of no special kind"},
		{"::1/64", "of no special kind"},
		{"::ffff:1.2.3.4/64", "of no special kind"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct verr e = VERR_INIT;
		struct prefix p = of(rows[i].text);

		if (rows[i].fault == NULL)
			assert_ok(prefix_check(&p, rows[i].text, &e), &e);
		else
			assert_fault(prefix_check(&p, rows[i].text, &e), &e, VERR_INVALID,
				     rows[i].fault);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_overlaps),
		cmocka_unit_test(test_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
