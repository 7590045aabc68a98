/* SPDX-License-Identifier: Apache-2.0 */
/* A NIC whose backend gets other descriptors. */
#include "vmm/devices/net/net_test.h"

/* Other sockets for the backend; the host's ends are `f`'s from now on. */
static int exchange(struct nic_test *f, size_t count, struct verr *e)
{
	int r, fds[PAIRS], hosts[PAIRS];

	for (int i = 0; i < PAIRS; i++) {
		int both[2];

		assert_int_equal(
			socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, both),
			0);
		fds[i] = both[0];
		hosts[i] = both[1];
	}
	r = net_exchange(f->net, "other", fds, count, e);
	for (int i = 0; i < PAIRS; i++) {
		(void)close(fds[i]);
		(void)close(r == 0 ? f->fake.host[i] : hosts[i]);
		f->fake.host[i] = r == 0 ? hosts[i] : f->fake.host[i];
	}
	return r;
}

/* A frame of the old host's side that waits for buffers does not come; those of the new one do. */
static void test_exchange(void **state)
{
	struct nic_test *f = *state;
	struct verr e = VERR_INIT;

	nic_give(f, 1, BUFFER_LEN);
	nic_arrive(f, BUFFER_LEN + 10, 1);
	nic_run(f, 1000);
	assert_fault(exchange(f, 1, &e), &e, VERR_INVALID, "expected 2");
	e = (struct verr)VERR_INIT;
	f->fake.set = 0;
	assert_ok(exchange(f, PAIRS, &e), &e);
	assert_int_equal(f->fake.set, net_vdev(f->net)->features & OFFLOADS);
	assert_int_equal(f->fake.pairs, 1);
	nic_arrive(f, 60, 2);
	nic_give(f, 9, BUFFER_LEN);
	nic_expect_frame(f, 60, 2);
	/* The loop hears of the next ones by itself. */
	nic_arrive(f, 70, 3);
	nic_expect_frame(f, 70, 3);
}

static void test_exchange_of_what_is_gone(void **state)
{
	struct nic_test *f = *state;
	struct verr e = VERR_INIT;

	nic_give(f, 8, BUFFER_LEN);
	net_gone(f->net);
	nic_run(f, 1000);
	assert_int_equal(net_vdev(f->net)->config[offsetof(struct virtio_net_config, status)], 0);
	assert_ok(exchange(f, PAIRS, &e), &e);
	nic_run(f, 1000);
	assert_int_equal(net_vdev(f->net)->config[offsetof(struct virtio_net_config, status)],
			 VIRTIO_NET_S_LINK_UP);
	nic_arrive(f, 60, 2);
	nic_expect_frame(f, 60, 2);
}

static void test_a_backend_that_keeps_what_it_has(void **state)
{
	struct net_backend_class class = fake_class;
	struct nic_test *f = *state;
	struct verr e = VERR_INIT;

	class.exchange = NULL;
	f->fake.backend.class = &class;
	assert_fault(exchange(f, PAIRS, &e), &e, VERR_INVALID,
		     "its backend is fake, which keeps what it has");
	f->fake.backend.class = &fake_class;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, nic_setup, nic_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_exchange),
		TEST(test_exchange_of_what_is_gone),
		TEST(test_a_backend_that_keeps_what_it_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
