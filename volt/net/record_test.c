/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/net/record.h"

#include <stdio.h>

#include "base/own.h"
#include "base/test.h"

/* The largest there can be. */
static struct net_setup largest(void)
{
	struct net_setup s = {.means = NET_NETWORKD,
			      .bridge = "bridge-of-15-ch",
			      .mac = {0x02, 0xFF, 0, 1, 2, 3},
			      .uplink = "uplink-of-15-ch",
			      .dhcp = true,
			      .masquerade = true,
			      .former = {.forward6 = true, .nat = true},
			      .taps_count = NET_TAPS_MAX};

	assert_true(prefix_parse(&s.ipv4, "192.168.255.255/30"));
	assert_true(prefix_parse(&s.ipv6, "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/64"));
	memset(s.dns, '1', sizeof(s.dns) - 1);
	memset(s.former.kept, 'k', sizeof(s.former.kept) - 1);
	for (size_t i = 0; i < NET_TAPS_MAX; i++) {
		struct net_tap *t = &s.taps[i];

		(void)snprintf(t->name, sizeof(t->name), "tap-of-15-ch-%02zu", i);
		memset(t->user, 'u', sizeof(t->user) - 1);
		t->owner = UINT32_MAX - 1;
		t->multi_queue = i % 2 == 1;
	}
	return s;
}

static void test_round_trip(void **state)
{
	struct net_setup s = largest(), again;
	auto_free char *text = net_encode(&s);
	struct verr e = VERR_INIT;

	(void)state;
	/* With the rest of a unit it can be read back. */
	assert_true(strlen(text) < NET_RECORD_MAX - 2048);
	assert_null(strchr(text, '\n'));
	assert_ok(net_decode(&again, text, &e), &e);
	assert_memory_equal(&s, &again, sizeof(s));
	assert_ptr_equal(net_find_tap(&again, "tap-of-15-ch-07"), &again.taps[7]);
	assert_null(net_find_tap(&again, "tap-of-15-ch-64"));
	assert_null(net_find_tap(NULL, "x"));
}

static void test_without_ipv6(void **state)
{
	struct net_setup s = {.means = NET_NETLINK, .bridge = "volt0"}, again;
	auto_free char *text = NULL;
	struct verr e = VERR_INIT;
	char path[64];

	(void)state;
	assert_true(prefix_parse(&s.ipv4, "10.86.0.1/24"));
	text = net_encode(&s);
	assert_ok(net_decode(&again, text, &e), &e);
	assert_memory_equal(&s, &again, sizeof(s));
	net_record_path(&again, path, sizeof(path));
	assert_string_equal(path, "/run/volt-net/volt0.json");
	again.means = NET_NETWORKD;
	net_record_path(&again, path, sizeof(path));
	assert_string_equal(path, "/etc/systemd/network/10-volt-volt0.network");
}

/* The record with one thing in it replaced by another. */
static void replace(char *out, size_t size, const char *text, const char *what, const char *with)
{
	const char *at = strstr(text, what);

	assert_non_null(at);
	(void)snprintf(out, size, "%.*s%s%s", (int)(at - text), text, with, at + strlen(what));
}

static void test_damaged(void **state)
{
	static const struct {
		const char *what, *with;
	} rows[] = {
		{"\"version\":1", "\"version\":2"},
		{"\"version\":1,", ""},
		{"systemd-networkd", "magic"},
		{"\"bridge\":\"b", "\"bridge\":\"../"},
		{"\"tap-of-15-ch-00\"", "\"lo/../all\""},
		{"\"tap-of-15-ch-00\"", "7"},
		{"192.168.255.255/30", "192.168.255.255/33"},
		{"192.168.255.255/30", "fd00::1/64"},
		{"fdff:", "10.0.0.1/8,"},
		{"02:ff:", "02:fg:"},
		{"02:ff:", "02:ff:00:"},
		{"4294967294", "4294967296"},
		{"4294967294", "-1"},
		{"\"dns\":\"1", "\"dns\":\"12"},
		{"\"kept\":\"k", "\"kept\":\"kk"},
		{"{\"version\"", "[\"version\""},
		{"\"dhcp\":true", "\"dhcp\":1"},
	};
	struct net_setup s = largest(), again;
	auto_free char *text = net_encode(&s), *bad = malloc(NET_RECORD_MAX);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct verr e = VERR_INIT;

		replace(bad, NET_RECORD_MAX, text, rows[i].what, rows[i].with);
		if (net_decode(&again, bad, &e) == 0)
			fail_msg("%s for %s was taken", rows[i].with, rows[i].what);
		assert_fault(-1, &e, VERR_CORRUPT, "is damaged");
	}
}

static void test_names(void **state)
{
	static const char *const bad[] = {
		"",    "sixteen-letters-", "a/b", "a b",      "a:b",  ".", "..", "-a", "12345",
		"all", "default",          "a%b", "\xc3\xa9", "a\"b",
	};
	static const char *const good[] = {"volt0", "br-lan",          "eth0.100",
					   "a",     "fifteen-letters", "0x"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct verr e = VERR_INIT;

		assert_fault(net_check_name(bad[i], &e), &e, VERR_INVALID, "name");
	}
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct verr e = VERR_INIT;

		assert_ok(net_check_name(good[i], &e), &e);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_without_ipv6),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
