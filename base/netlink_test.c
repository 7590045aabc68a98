/* SPDX-License-Identifier: Apache-2.0 */
#include "base/netlink.h"

#include <net/if.h>
#include <unistd.h>

#include "base/own.h"
#include "base/test.h"

static void test_attributes(void **state)
{
	struct netlink_message m;
	struct ifinfomsg body = {.ifi_index = 7};
	const char *attributes = m.bytes + NLMSG_LENGTH(sizeof(body));
	const struct rtattr *a;
	uint32_t number = 42;
	size_t size, nest;

	(void)state;
	netlink_begin(&m, RTM_NEWLINK, NLM_F_CREATE, &body, sizeof(body));
	netlink_put_text(&m, IFLA_IFNAME, "volt0");
	nest = netlink_open_nest(&m, IFLA_LINKINFO);
	netlink_put_text(&m, IFLA_INFO_KIND, "bridge");
	netlink_close_nest(&m, nest);
	netlink_put(&m, IFLA_MTU, &number, sizeof(number));
	size = m.head.nlmsg_len - NLMSG_LENGTH(sizeof(body));
	assert_string_equal(RTA_DATA(netlink_find(attributes, size, IFLA_IFNAME)), "volt0");
	a = netlink_find_in(netlink_find(attributes, size, IFLA_LINKINFO), IFLA_INFO_KIND);
	assert_string_equal(RTA_DATA(a), "bridge");
	assert_int_equal(netlink_u32(netlink_find(attributes, size, IFLA_MTU), 0), 42);
	assert_null(netlink_find(attributes, size, IFLA_MASTER));
	assert_null(netlink_find_in(NULL, IFLA_MASTER));
	assert_int_equal(netlink_u32(NULL, 5), 5);
	assert_int_equal(netlink_u32(netlink_find(attributes, size, IFLA_IFNAME), 5), 5);
	/* One that ends outside, or is shorter than itself, is none. */
	for (size_t cut = 0; cut < 10; cut++)
		assert_null(netlink_find(attributes, cut, IFLA_IFNAME));
	((struct rtattr *)(uintptr_t)attributes)->rta_len = 3;
	assert_null(netlink_find(attributes, size, IFLA_IFNAME));
}

static void test_too_large(void **state)
{
	struct netlink_message m;
	struct ifinfomsg body = {0};
	char much[NETLINK_MESSAGE_MAX] = "x";
	struct verr e = VERR_INIT;
	auto_fd fd = netlink_open(NETLINK_ROUTE, &e);

	(void)state;
	assert_ok(fd, &e);
	netlink_begin(&m, RTM_NEWLINK, 0, &body, sizeof(body));
	netlink_put(&m, IFLA_IFALIAS, much, sizeof(much));
	netlink_close_nest(&m, netlink_open_nest(&m, IFLA_LINKINFO));
	netlink_put_text(&m, IFLA_IFNAME, "a");
	assert_int_equal(netlink_ask(fd, &m), -1);
	assert_int_equal(errno, EMSGSIZE);
}

static void count_loopback(uint16_t type, const void *body, size_t size, void *context)
{
	const struct ifinfomsg *info = body;

	assert_int_equal(type, RTM_NEWLINK);
	assert_true(size >= sizeof(*info));
	*(int *)context += (info->ifi_flags & IFF_LOOPBACK) != 0;
}

static void test_the_kernel_answers(void **state)
{
	struct netlink_message m;
	struct ifinfomsg body = {0};
	struct verr e = VERR_INIT;
	auto_fd fd = netlink_open(NETLINK_ROUTE, &e);
	int found = 0;

	(void)state;
	assert_ok(fd, &e);
	netlink_begin(&m, RTM_GETLINK, 0, &body, sizeof(body));
	assert_int_equal(netlink_dump(fd, &m, count_loopback, &found), 0);
	assert_int_equal(found, 1);
	netlink_begin(&m, RTM_GETLINK, 0, &body, sizeof(body));
	netlink_put_text(&m, IFLA_IFNAME, "lo");
	assert_int_equal(netlink_get(fd, &m, count_loopback, &found), 0);
	assert_int_equal(found, 2);
	netlink_begin(&m, RTM_GETLINK, 0, &body, sizeof(body));
	netlink_put_text(&m, IFLA_IFNAME, "no such one");
	assert_int_equal(netlink_ask(fd, &m), -1);
	assert_int_equal(errno, ENODEV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attributes),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_the_kernel_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
