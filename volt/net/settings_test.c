/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/net/settings.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/own.h"
#include "base/test.h"

#define WORDS_MAX 80

/* Arguments as cli/verb.c gives them, from pairs of an option and its value. */
struct words {
	struct verb_given given[WORDS_MAX];
	struct verb_args args;
};

static void give(struct words *w, enum net_option row, const char *value)
{
	w->given[w->args.given_count++] = (struct verb_given){.row = row, .value = value};
	w->args.options[row] = value;
	w->args.given = w->given;
}

static void test_defaults(void **state)
{
	struct words w = {0};
	struct verr e = VERR_INIT;
	struct net_setup s;

	(void)state;
	assert_ok(net_settings_parse(&s, &w.args, &e), &e);
	assert_string_equal(s.bridge, "volt0");
	assert_true(s.dhcp && s.masquerade);
	assert_int_equal(s.ipv4.family, 0);
	assert_int_equal(s.ipv6.family, 0);
	assert_int_equal(s.taps_count, 0);
}

static void test_all(void **state)
{
	struct words w = {0};
	struct verr e = VERR_INIT;
	char text[PREFIX_TEXT];
	struct net_setup s;

	(void)state;
	give(&w, NET_OPT_BRIDGE, "lab");
	give(&w, NET_OPT_ADDRESS, "192.168.7.1/24");
	give(&w, NET_OPT_IPV6, "fd00:7::1/64");
	give(&w, NET_OPT_UPLINK, "eth0.5");
	give(&w, NET_OPT_DNS, "9.9.9.9,1.1.1.1");
	give(&w, NET_OPT_NO_MASQUERADE, "");
	give(&w, NET_OPT_TAP, "a");
	give(&w, NET_OPT_TAP, "b");
	give(&w, NET_OPT_OWNER, "4000000001");
	give(&w, NET_OPT_MULTI_QUEUE, "");
	assert_ok(net_settings_parse(&s, &w.args, &e), &e);
	assert_string_equal(s.bridge, "lab");
	assert_string_equal(prefix_text(&s.ipv4, text), "192.168.7.1/24");
	assert_string_equal(prefix_text(&s.ipv6, text), "fd00:7::1/64");
	assert_string_equal(s.uplink, "eth0.5");
	assert_string_equal(s.dns, "9.9.9.9 1.1.1.1");
	assert_true(s.dhcp && !s.masquerade);
	assert_int_equal(s.taps_count, 2);
	assert_string_equal(s.taps[1].name, "b");
	assert_true(s.taps[1].owner == 4000000001 && s.taps[1].multi_queue);
	assert_string_equal(s.taps[1].user, "4000000001");
}

static void test_owner(void **state)
{
	struct words w = {0};
	struct verr e = VERR_INIT;
	struct net_setup s;

	(void)state;
	give(&w, NET_OPT_TAP, "a");
	(void)unsetenv("SUDO_UID");
	assert_ok(net_settings_parse(&s, &w.args, &e), &e);
	assert_string_equal(s.taps[0].user, "root");
	(void)setenv("SUDO_UID", "65534", 1);
	assert_ok(net_settings_parse(&s, &w.args, &e), &e);
	assert_int_equal(s.taps[0].owner, 65534);
	assert_string_equal(s.taps[0].user, "nobody");
	give(&w, NET_OPT_OWNER, "root");
	assert_ok(net_settings_parse(&s, &w.args, &e), &e);
	assert_int_equal(s.taps[0].owner, 0);
	(void)unsetenv("SUDO_UID");
}

static void test_bad(void **state)
{
	static const struct {
		enum net_option row;
		const char *value, *fault;
	} rows[] = {
		{NET_OPT_BRIDGE, "a/b", "--bridge: a/b: an interface's name has only"},
		{NET_OPT_BRIDGE, "sixteen-letters-", "has 1 to 15 characters"},
		{NET_OPT_BRIDGE, "all", "--bridge: all is no name"},
		{NET_OPT_ADDRESS, "10.86.0.1", "expected ADDRESS/LENGTH, as 10.86.0.1/24"},
		{NET_OPT_ADDRESS, "fd00::1/64", "expected ADDRESS/LENGTH, as 10.86.0.1/24"},
		{NET_OPT_ADDRESS, "10.86.0.0/24", "first or last address"},
		{NET_OPT_IPV6, "10.86.0.1/24", "--ipv6: 10.86.0.1/24: expected"},
		{NET_OPT_IPV6, "fd00::1/48", "expected a length of 64"},
		{NET_OPT_UPLINK, "a b", "--uplink: a b"},
		{NET_OPT_DNS, "9.9.9.9,", "--dns: \"\": expected addresses of IPv4"},
		{NET_OPT_DNS, "dns.example", "--dns: dns.example: expected"},
		{NET_OPT_TAP, "x:y", "--tap: x:y"},
		{NET_OPT_TAP, "volt0", "--tap: volt0 is given twice"},
		{NET_OPT_OWNER, "0", "give --tap NAME, too"},
		{NET_OPT_MULTI_QUEUE, "", "give --tap NAME, too"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct words w = {0};
		struct verr e = VERR_INIT;
		struct net_setup s;

		give(&w, rows[i].row, rows[i].value);
		assert_fault(net_settings_parse(&s, &w.args, &e), &e, VERR_INVALID, rows[i].fault);
	}
}

static void test_bad_together(void **state)
{
	struct words twice = {0}, dns = {0}, owner = {0}, many = {0};
	char names[NET_TAPS_MAX + 1][16];
	struct verr e = VERR_INIT;
	struct net_setup s;

	(void)state;
	give(&twice, NET_OPT_TAP, "a");
	give(&twice, NET_OPT_TAP, "a");
	assert_fault(net_settings_parse(&s, &twice.args, &e), &e, VERR_INVALID, "a is given twice");
	e = (struct verr)VERR_INIT;
	give(&dns, NET_OPT_DNS, "9.9.9.9");
	give(&dns, NET_OPT_NO_DHCP, "");
	assert_fault(net_settings_parse(&s, &dns.args, &e), &e, VERR_INVALID,
		     "--dns is told by DHCP");
	e = (struct verr)VERR_INIT;
	give(&owner, NET_OPT_TAP, "a");
	give(&owner, NET_OPT_OWNER, "no such user");
	assert_fault(net_settings_parse(&s, &owner.args, &e), &e, VERR_INVALID,
		     "there is no user no such user in /etc/passwd");
	e = (struct verr)VERR_INIT;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		(void)snprintf(names[i], sizeof(names[i]), "t%zu", i);
		give(&many, NET_OPT_TAP, names[i]);
	}
	assert_fault(net_settings_parse(&s, &many.args, &e), &e, VERR_INVALID,
		     "at most 64 of them");
}

static int merge(struct net_setup *s, const struct net_setup *former, const struct words *w,
		 struct verr *e)
{
	return net_settings_parse(s, &w->args, e) < 0 ? -1
						      : net_settings_merge(s, former, &w->args, e);
}

static void test_merge(void **state)
{
	struct words first = {0}, more = {0}, none = {0};
	struct net_setup former, s;
	struct verr e = VERR_INIT;

	(void)state;
	give(&first, NET_OPT_ADDRESS, "192.168.7.1/24");
	give(&first, NET_OPT_NO_DHCP, "");
	give(&first, NET_OPT_TAP, "a");
	assert_ok(net_settings_parse(&former, &first.args, &e), &e);
	former.mac[5] = 9;

	assert_ok(merge(&s, &former, &none, &e), &e);
	assert_memory_equal(&s, &former, sizeof(s));
	assert_ok(merge(&s, &former, &first, &e), &e);
	assert_memory_equal(&s, &former, sizeof(s));
	give(&more, NET_OPT_TAP, "b");
	give(&more, NET_OPT_TAP, "a");
	assert_ok(merge(&s, &former, &more, &e), &e);
	assert_int_equal(s.taps_count, 2);
	assert_string_equal(s.taps[1].name, "b");
	assert_false(s.dhcp);
}

static void test_no_merge(void **state)
{
	static const struct {
		enum net_option row;
		const char *value, *fault;
	} rows[] = {
		{NET_OPT_ADDRESS, "192.168.8.1/24",
		 "--address: volt0 is set up otherwise; first "
		 "run: volt net teardown --bridge volt0"},
		{NET_OPT_IPV6, "fd00:8::1/64", "--ipv6: "},
		{NET_OPT_IPV6, "auto", "--ipv6: "},
		{NET_OPT_UPLINK, "eth1", "--uplink: "},
		{NET_OPT_DNS, "1.1.1.1", "--dns: "},
		{NET_OPT_NO_DHCP, "", "--no-dhcp: "},
		{NET_OPT_NO_MASQUERADE, "", "--no-masquerade: "},
	};
	struct words w = {0}, owner = {0}, queues = {0};
	struct net_setup former, s;
	struct verr e = VERR_INIT;

	(void)state;
	give(&w, NET_OPT_ADDRESS, "192.168.7.1/24");
	give(&w, NET_OPT_TAP, "a");
	assert_ok(net_settings_parse(&former, &w.args, &e), &e);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct words other = {0};

		e = (struct verr)VERR_INIT;
		give(&other, rows[i].row, rows[i].value);
		assert_fault(merge(&s, &former, &other, &e), &e, VERR_STATE, rows[i].fault);
	}
	e = (struct verr)VERR_INIT;
	give(&owner, NET_OPT_TAP, "a");
	give(&owner, NET_OPT_OWNER, "12");
	assert_fault(merge(&s, &former, &owner, &e), &e, VERR_STATE, "--owner: a is root's");
	e = (struct verr)VERR_INIT;
	give(&queues, NET_OPT_TAP, "a");
	give(&queues, NET_OPT_MULTI_QUEUE, "");
	assert_fault(merge(&s, &former, &queues, &e), &e, VERR_STATE,
		     "--multi-queue: a has one queue; first run: volt net teardown --bridge volt0");
	former.taps[0].multi_queue = true;
	e = (struct verr)VERR_INIT;
	assert_ok(merge(&s, &former, &queues, &e), &e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),     cmocka_unit_test(test_all),
		cmocka_unit_test(test_owner),        cmocka_unit_test(test_bad),
		cmocka_unit_test(test_bad_together), cmocka_unit_test(test_merge),
		cmocka_unit_test(test_no_merge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
