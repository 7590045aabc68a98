/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/net/units.h"

#include "base/own.h"
#include "base/test.h"

static struct net_setup example(void)
{
	struct net_setup s = {.bridge = "volt0",
			      .mac = {2, 0, 0, 0, 0, 0xAB},
			      .dhcp = true,
			      .masquerade = true,
			      .taps = {{.name = "vt0", .user = "alice"},
				       {.name = "vt1", .user = "1234", .multi_queue = true}},
			      .taps_count = 2};

	assert_true(prefix_parse(&s.ipv4, "10.86.0.1/24"));
	return s;
}

static void assert_has(const struct net_setup *s, size_t i, const char *part)
{
	auto_free char *text = unit_text(s, i);

	assert_non_null(text);
	assert_memory_equal(text, UNIT_MARK, strlen(UNIT_MARK));
	if (strstr(text, part) == NULL)
		fail_msg("no \"%s\" in:\n%s", part, text);
}

static void assert_lacks(const struct net_setup *s, size_t i, const char *part)
{
	auto_free char *text = unit_text(s, i);

	if (strstr(text, part) != NULL)
		fail_msg("\"%s\" in:\n%s", part, text);
}

static void test_files(void **state)
{
	static const char *const paths[] = {
		"/etc/systemd/network/10-volt-volt0.network",
		"/etc/systemd/network/10-volt-volt0.netdev",
		"/etc/systemd/network/11-volt-vt0.netdev",
		"/etc/systemd/network/11-volt-vt0.network",
		"/etc/systemd/network/11-volt-vt1.netdev",
		"/etc/systemd/network/11-volt-vt1.network",
	};
	struct net_setup s = example();
	char path[128];

	(void)state;
	assert_int_equal(units_count(&s), ARRAY_LEN(paths));
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		unit_path(&s, i, path, sizeof(path));
		assert_string_equal(path, paths[i]);
	}
	assert_has(&s, 0, "\n[Match]\nName=volt0\n");
	assert_has(&s, 1, "Name=volt0\nKind=bridge\nMACAddress=02:00:00:00:00:ab\n");
	assert_has(&s, 2, "Name=vt0\nKind=tap\n\n[Tap]\nUser=alice\nVNetHeader=yes\n");
	assert_lacks(&s, 2, "MultiQueue");
	assert_has(&s, 3, "[Match]\nName=vt0\n");
	assert_has(&s, 3, "\nBridge=volt0\n");
	assert_has(&s, 4, "User=1234\nVNetHeader=yes\nMultiQueue=yes\n");
}

static void test_bridge(void **state)
{
	struct net_setup s = example();

	(void)state;
	assert_has(&s, 0, "\nDHCPServer=yes\nIPMasquerade=ipv4\n");
	assert_has(&s, 0, "[DHCPServer]\nPoolOffset=128\nPoolSize=127\n");
	assert_lacks(&s, 0, "DNS=");
	assert_lacks(&s, 0, "UplinkInterface");
	assert_lacks(&s, 0, "IPv6SendRA");
	assert_true(prefix_parse(&s.ipv4, "10.86.0.1/30"));
	assert_has(&s, 0, "PoolOffset=2\nPoolSize=1\n");
	assert_true(prefix_parse(&s.ipv4, "10.86.0.1/8"));
	assert_has(&s, 0, "PoolOffset=8388608\nPoolSize=8388607\n");
	strcpy(s.dns, "9.9.9.9 1.1.1.1");
	strcpy(s.uplink, "eth0");
	assert_has(&s, 0, "\nUplinkInterface=eth0\nDNS=9.9.9.9 1.1.1.1\n");
}

static void test_less(void **state)
{
	struct net_setup s = example();

	(void)state;
	s.masquerade = false;
	assert_has(&s, 0, "\nDHCPServer=yes\nIPMasquerade=no\n");
	assert_has(&s, 0, "EmitRouter=no\n");
	s.dhcp = false;
	assert_has(&s, 0, "\nDHCPServer=no\nIPMasquerade=no\n");
	assert_lacks(&s, 0, "[DHCPServer]");
}

static void test_ipv6(void **state)
{
	struct net_setup s = example();

	(void)state;
	assert_true(prefix_parse(&s.ipv6, "fd00:86:0:7::1/64"));
	assert_has(&s, 0, "IPMasquerade=both\nIPv6SendRA=yes\n");
	assert_has(&s, 0, "[Address]\nAddress=fd00:86:0:7::1/64\nDuplicateAddressDetection=none\n");
	assert_has(&s, 0, "[IPv6Prefix]\nPrefix=fd00:86:0:7::/64\n");
	assert_lacks(&s, 0, "RouterLifetimeSec");
	s.masquerade = false;
	assert_has(&s, 0, "RouterLifetimeSec=0\n");
}

/* What is read back is what was written. */
static void test_record(void **state)
{
	struct net_setup s = example(), again;
	auto_free char *text = unit_text(&s, 0);
	char *record = strstr(text, NET_RECORD_MARK);
	struct verr e = VERR_INIT;

	(void)state;
	assert_non_null(record);
	record += strlen(NET_RECORD_MARK);
	record[strcspn(record, "\n")] = '\0';
	assert_ok(net_decode(&again, record, &e), &e);
	assert_memory_equal(&s, &again, sizeof(s));
	assert_lacks(&s, 1, NET_RECORD_MARK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),  cmocka_unit_test(test_bridge),
		cmocka_unit_test(test_less),   cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
