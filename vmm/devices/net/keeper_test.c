/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A persistent TAP device, in a network namespace of this test's own, goes with its keeper. Where
 * none is to be had there is nothing to test.
 */
#include "vmm/devices/net/keeper.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/netlink.h"
#include "base/own.h"
#include "base/test.h"
#include "vmm/devices/net/link.h"
#include "vmm/devices/net/rtnl.h"

static unsigned make_interface(void)
{
	struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI, .ifr_name = "vk0"};
	auto_fd fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	assert_int_equal(ioctl(fd, TUNSETIFF, &r), 0);
	assert_int_equal(ioctl(fd, TUNSETPERSIST, 1), 0);
	return if_nametoindex("vk0");
}

static void test_gone_with_its_keeper(void **state)
{
	unsigned index = make_interface();
	struct keeper *k = NULL;
	struct verr e = VERR_INIT;

	(void)state;
	assert_ok(keeper_new(index, &k, &e), &e);
	assert_int_equal(if_nametoindex("vk0"), index);
	assert_null(keeper_free(k));
	assert_int_equal(if_nametoindex("vk0"), 0);
	assert_null(keeper_free(NULL));
}

/* And what this process had open is closed: the keeper holds nothing of it. */
static void test_gone_after_a_kill(void **state)
{
	unsigned index = make_interface();
	int alive[2];
	char byte;
	pid_t child;

	(void)state;
	assert_int_equal(pipe(alive), 0);
	child = fork();
	if (child == 0) {
		struct keeper *k = NULL;
		struct verr e = VERR_INIT;

		if (keeper_new(index, &k, &e) == 0)
			(void)raise(SIGKILL);
		_exit(1);
	}
	(void)close(alive[1]);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(read(alive[0], &byte, 1), 0);
	(void)close(alive[0]);
	for (int i = 0; i < 10000 && if_nametoindex("vk0") != 0; i++)
		(void)usleep(1000);
	assert_int_equal(if_nametoindex("vk0"), 0);
}

static void test_no_such_interface(void **state)
{
	struct verr e = VERR_INIT;
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
	auto_fd rtnl = netlink_open(NETLINK_ROUTE, &e);

	(void)state;
	assert_int_equal(rtnl_delete(rtnl, 12345), -1);
	assert_int_equal(errno, ENODEV);
	/* ENODEV, or this kernel has no macvtap. */
	assert_int_equal(rtnl_add_macvtap(rtnl, "vk0", 12345, mac), -1);
	assert_true(errno == ENODEV || errno == EOPNOTSUPP);
	assert_false(link_is_macvtap("lo"));
	assert_false(link_is_macvtap("vk0"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gone_with_its_keeper),
		cmocka_unit_test(test_gone_after_a_kill),
		cmocka_unit_test(test_no_such_interface),
	};
	int flags = geteuid() == 0 ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET;

	if (unshare(flags) < 0 || access("/dev/net/tun", R_OK | W_OK) < 0) {
		print_message("no network namespace or no TUN here: nothing is tested\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
