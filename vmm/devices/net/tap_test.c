/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Real TAP devices, in a network namespace of this test's own. Where none is to be had (TSan has a
 * thread, which forbids a user namespace; no /dev/net/tun) there is nothing to test.
 */
#include "vmm/devices/net/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/netlink.h"
#include "base/own.h"
#include "base/test.h"
#include "vmm/devices/net/link.h"
#include "vmm/devices/net/rtnl.h"

static struct net_backend *open_tap(struct tap_options o)
{
	struct net_backend *b = NULL;
	struct verr e = VERR_INIT;

	o.pairs = o.pairs != 0 ? o.pairs : 1;
	assert_ok(tap_new(&o, &b, &e), &e);
	return b;
}

static void refuse(struct tap_options o, const char *why)
{
	struct net_backend *b = NULL;
	struct verr e = VERR_INIT;

	o.pairs = o.pairs != 0 ? o.pairs : 1;
	assert_fault(tap_new(&o, &b, &e), &e, VERR_INVALID, why);
	assert_null(b);
}

static bool exists(const char *name)
{
	struct verr e = VERR_INIT;
	auto_fd link = link_open(&e);

	return link_index(link, name) != 0;
}

static int make_bridge(const char *name)
{
	auto_fd link = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return ioctl(link, SIOCBRADDBR, name);
}

static void test_made_and_gone(void **state)
{
	struct net_backend *b = open_tap((struct tap_options){.name = "vt0", .mtu = 1400});

	(void)state;
	assert_string_equal(tap_name(b), "vt0");
	assert_true(exists("vt0"));
	assert_int_equal(b->mtu, 1400);
	assert_true(b->features >> VIRTIO_NET_F_HOST_TSO4 & 1);
	refuse((struct tap_options){.name = "vt0"}, "vt0 is in use by another process");
	(void)net_backend_free(b);
	assert_false(exists("vt0"));
	b = open_tap((struct tap_options){0});
	assert_int_equal(strncmp(tap_name(b), "volttap", 7), 0);
	(void)net_backend_free(b);
}

/* A frame out is one on the host, and a frame of the host's comes in, both with their headers. */
static void test_frames(void **state)
{
	struct net_backend *b = open_tap((struct tap_options){.name = "vt0"});
	uint8_t header[NET_HEADER_LEN] = {0},
		frame[60] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xB5};
	struct iovec out[] = {{header, sizeof(header)}, {frame, sizeof(frame)}};
	uint8_t got[2000];
	struct iovec in = {got, sizeof(got)};
	struct pollfd p = {.fd = b->fds[0], .events = POLLIN};

	(void)state;
	assert_int_equal(b->class->send(b, 0, out, 2), 72);
	/* The host speaks IPv6 on every interface that comes up. */
	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_true(b->class->receive(b, 0, &in, 1) > NET_HEADER_LEN + 14);
	while (b->class->receive(b, 0, &in, 1) > 0)
		;
	assert_int_equal(errno, EAGAIN);
	(void)net_backend_free(b);
}

static void test_offloads(void **state)
{
	struct net_backend *b = open_tap((struct tap_options){.name = "vt0"});
	struct verr e = VERR_INIT;

	(void)state;
	/* Whatever a driver has agreed to, alone or not, the TAP takes. */
	for (unsigned bits = 0; bits < 64; bits++) {
		static const unsigned features[] = {
			VIRTIO_NET_F_GUEST_CSUM, VIRTIO_NET_F_GUEST_TSO4, VIRTIO_NET_F_GUEST_TSO6,
			VIRTIO_NET_F_GUEST_ECN,  NET_F_GUEST_USO4,        NET_F_GUEST_USO6};
		uint64_t wanted = 0;

		for (unsigned i = 0; i < 6; i++)
			wanted |= (uint64_t)(bits >> i & 1) << features[i];
		assert_ok(b->class->set_features(b, wanted & b->features, &e), &e);
	}
	(void)net_backend_free(b);
}

static void test_pairs(void **state)
{
	struct net_backend *b = open_tap((struct tap_options){.name = "vt0", .pairs = 4});
	struct verr e = VERR_INIT;
	uint8_t got[2000];
	struct iovec in = {got, sizeof(got)};

	(void)state;
	for (uint16_t round = 0; round < 3; round++) {
		static const uint16_t counts[] = {1, 4, 2, 3, 4};

		for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
			assert_ok(b->class->set_pairs(b, counts[i], &e), &e);
			for (uint16_t k = 0; k < 4; k++) {
				while (b->class->receive(b, k, &in, 1) > 0)
					;
				assert_int_equal(errno, EAGAIN);
			}
		}
	}
	refuse((struct tap_options){.name = "vt0"}, "vt0 is in use by another process");
	refuse((struct tap_options){.name = "vt0", .pairs = 2}, "vt0 is in use by another process");
	(void)net_backend_free(b);
}

static void test_bridge(void **state)
{
	struct net_backend *b;
	struct verr e = VERR_INIT;
	auto_fd link = link_open(&e);

	(void)state;
	refuse((struct tap_options){.name = "vt0", .bridge = "vb0"},
	       "there is no bridge vb0; run as root: volt net setup --bridge vb0");
	refuse((struct tap_options){.name = "vt0", .bridge = "lo"}, "lo is no bridge");
	assert_false(exists("vt0"));
	if (make_bridge("vb0") < 0 || make_bridge("vb1") < 0)
		skip();
	b = open_tap((struct tap_options){.name = "vt0", .bridge = "vb0"});
	assert_ok(link_join_bridge(link, "vb0", "vt0", &e), &e); /* is one already */
	assert_fault(link_join_bridge(link, "vb1", "vt0", &e), &e, VERR_INVALID,
		     "vt0 belongs to another bridge than vb1");
	(void)net_backend_free(b);
}

static int open_raw(const char *name, short flags)
{
	struct ifreq r = {.ifr_flags = flags};
	int fd = open("/dev/net/tun", O_RDWR); /* as if inherited */

	(void)snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, TUNSETIFF, &r), 0);
	return fd;
}

static void test_watched(void **state)
{
	struct net_backend *b = open_tap((struct tap_options){.name = "vt0"});
	struct verr e = VERR_INIT;
	struct pollfd p = {.events = POLLIN};
	int fd, other;

	(void)state;
	assert_int_equal(b->changes, -1);
	(void)net_backend_free(b);
	b = open_tap((struct tap_options){.name = "vt0", .watch = true});
	other = open_raw("vt9", IFF_TAP | IFF_NO_PI);
	p.fd = b->changes;
	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_true(b->class->is_there(b));
	assert_int_equal(poll(&p, 1, 0), 0);
	(void)close(other);
	fd = netlink_open(NETLINK_ROUTE, &e);
	assert_int_equal(rtnl_delete(fd, if_nametoindex("vt0")), 0);
	(void)close(fd);
	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_false(b->class->is_there(b));
	(void)net_backend_free(b);
}

static void test_names(void **state)
{
	(void)state;
	refuse((struct tap_options){.name = "lo"}, "lo is no TAP device");
	refuse((struct tap_options){.name = "lo", .pairs = 2}, "lo is no TAP with several queues");
	refuse((struct tap_options){.name = "vt0", .mtu = 70000}, "mtu=70000");
	assert_false(exists("vt0"));
}

static void test_given_descriptors(void **state)
{
	const short good = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
	struct net_backend *b;
	char text[32];
	int fd = open_raw("vt0", good);
	auto_fd null = open("/dev/null", O_RDWR);
	auto_fd plain = open_raw("vt1", IFF_TAP | IFF_NO_PI);
	auto_fd tun = open_raw("vt2", IFF_TUN | IFF_NO_PI | IFF_VNET_HDR);

	(void)state;
	(void)snprintf(text, sizeof(text), "%d", fd);
	refuse((struct tap_options){.fds = text, .pairs = 2}, "expected 2 numbers");
	b = open_tap((struct tap_options){.fds = text});
	assert_string_equal(tap_name(b), "vt0");
	assert_true(fcntl(b->fds[0], F_GETFL) & O_NONBLOCK);
	/* The number is free again. */
	refuse((struct tap_options){.fds = text}, "was not open; expected that of a TAP");
	(void)net_backend_free(b);
	assert_false(exists("vt0"));
	(void)snprintf(text, sizeof(text), "%d", null);
	refuse((struct tap_options){.fds = text}, "is not that of a TAP");
	(void)snprintf(text, sizeof(text), "%d", plain);
	refuse((struct tap_options){.fds = text}, "is one of vt1 without what is needed");
	(void)snprintf(text, sizeof(text), "%d", tun);
	refuse((struct tap_options){.fds = text}, "is one of vt2 without what is needed");
	for (size_t i = 0; i < 6; i++) {
		static const char *const bad[] = {"", "x", "1:", "-1", "99999999999", "3 "};

		refuse((struct tap_options){.fds = bad[i]}, "expected 1 numbers");
	}
}

static int exchange(struct net_backend *b, const char *name, const int *fds, size_t count,
		    struct verr *e)
{
	const struct net_exchange x = {.name = name,
				       .fds = fds,
				       .count = count,
				       .features = b->features & 1ULL << VIRTIO_NET_F_GUEST_CSUM,
				       .pairs = 1};

	*e = (struct verr)VERR_INIT;
	return b->class->exchange(b, &x, e);
}

static void test_exchange(void **state)
{
	const short good = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, several = good | IFF_MULTI_QUEUE;
	struct net_backend *b = open_tap((struct tap_options){.name = "vt0", .pairs = 2});
	int null = open("/dev/null", O_RDWR), had = b->fds[0];
	int two[] = {open_raw("vt1", several), open_raw("vt1", several)};
	int mixed[] = {two[0], open_raw("vt2", several)};
	int plain[] = {two[0], open_raw("vt3", IFF_TAP | IFF_NO_PI)};
	const int none[] = {two[0], null};
	struct verr e;

	(void)state;
	assert_fault(exchange(b, "vt1", two, 1, &e), &e, VERR_INVALID, "1 descriptors came");
	assert_fault(exchange(b, "vt1", none, 2, &e), &e, VERR_INVALID,
		     "descriptor 2 is not that of a TAP");
	assert_fault(exchange(b, "vt1", mixed, 2, &e), &e, VERR_INVALID,
		     "descriptor 2 is one of vt2, others of vt1");
	assert_fault(exchange(b, "vt1", plain, 2, &e), &e, VERR_INVALID,
		     "descriptor 2 is one of vt3 without what is needed");
	assert_fault(exchange(b, "vt2", two, 2, &e), &e, VERR_INVALID,
		     "the descriptors are of vt1; expected vt2's");
	b->features |= 1ULL << 63;
	assert_fault(exchange(b, "vt1", two, 2, &e), &e, VERR_INVALID, "vt1 can do less");
	b->features &= ~(1ULL << 63);
	assert_string_equal(tap_name(b), "vt0");
	assert_true(exists("vt0"));
	assert_ok(exchange(b, "vt1", two, 2, &e), &e);
	assert_string_equal(tap_name(b), "vt1");
	assert_int_equal(b->fds[0], had);
	assert_true(fcntl(had, F_GETFL) & O_NONBLOCK && fcntl(had, F_GETFD) & FD_CLOEXEC);
	assert_false(exists("vt0"));
	/* As the first one was: one of its pairs carries frames, and the other can again. */
	assert_ok(b->class->set_pairs(b, 2, &e), &e);
	assert_ok(b->class->set_pairs(b, 1, &e), &e);
	fd_close(&two[0]);
	fd_close(&two[1]);
	assert_true(exists("vt1"));
	(void)net_backend_free(b);
	assert_false(exists("vt1"));
	fd_close(&mixed[1]);
	fd_close(&plain[1]);
	fd_close(&null);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_made_and_gone), cmocka_unit_test(test_frames),
		cmocka_unit_test(test_offloads),      cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_bridge),        cmocka_unit_test(test_watched),
		cmocka_unit_test(test_names),         cmocka_unit_test(test_given_descriptors),
		cmocka_unit_test(test_exchange),
	};
	int flags = geteuid() == 0 ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET;

	if (unshare(flags) < 0 || access("/dev/net/tun", R_OK | W_OK) < 0) {
		print_message("no network namespace or no TUN here: nothing is tested\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
