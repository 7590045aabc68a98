/* SPDX-License-Identifier: Apache-2.0 */
/* A NIC from its registers to its backend. */
#include "vmm/devices/net/net_test.h"

#define FRAME (DRIVER_DATA + 0x100000) /* to send */
#define COMMAND (DRIVER_DATA + 0x180000)
#define ANSWER (DRIVER_DATA + 0x190000)

/* --- receiving --- */

static void test_receive(void **state)
{
	struct nic_test *f = *state;

	nic_give(f, 60, BUFFER_LEN);
	for (unsigned i = 0; i < 20; i++)
		nic_arrive(f, 60 + i, (uint8_t)i);
	for (unsigned i = 0; i < 20; i++)
		nic_expect_frame(f, 60 + i, (uint8_t)i);
	assert_int_equal(nic_count(f, "rx_packets"), 20);
	assert_int_equal(nic_count(f, "rx_bytes"), 20 * 60 + 190);
	assert_int_equal(nic_count(f, "rx_dropped"), 0);
	assert_true(irq_edges(net_vdev(f->net)->irq) > 0);
}

static void test_receive_in_many_buffers(void **state)
{
	struct nic_test *f = *state;

	for (unsigned i = 0; i < 10; i++) {
		nic_give(f, 50, BUFFER_LEN);
		nic_arrive(f, 65000, 1);
		nic_expect_frame(f, 65000, 1);
		nic_give(f, 1, BUFFER_LEN);
		nic_arrive(f, BUFFER_LEN - NET_HEADER_LEN, 2);
		nic_expect_frame(f, BUFFER_LEN - NET_HEADER_LEN, 2);
		nic_start(f, 0);
	}
	assert_int_equal(nic_count(f, "rx_dropped"), 0);
}

/* What came before there were buffers waits on the host, and what does not fit waits for more. */
static void test_buffers_come_late(void **state)
{
	struct nic_test *f = *state;

	nic_arrive(f, 5000, 3);
	nic_arrive(f, 100, 4);
	nic_run(f, 2000);
	assert_int_equal(nic_count(f, "rx_packets"), 0);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(nic_count(f, "rx_packets"), 0);
		nic_give(f, 1, BUFFER_LEN);
		nic_run(f, 2000);
	}
	nic_expect_frame(f, 5000, 3);
	nic_give(f, 1, BUFFER_LEN);
	nic_expect_frame(f, 100, 4);
	assert_int_equal(nic_count(f, "rx_dropped"), 0);
}

/* A queue that cannot hold a frame at all: it is dropped, and the next one comes. */
static void test_a_frame_for_no_queue(void **state)
{
	struct nic_test *f = *state;

	nic_give(f, 64, 100);
	nic_arrive(f, 6400, 5);
	nic_arrive(f, 80, 6);
	nic_expect_frame(f, 80, 6);
	assert_int_equal(nic_count(f, "rx_dropped"), 1);
}

static void test_without_merged_buffers(void **state)
{
	struct nic_test *f = *state;

	nic_start(f, 1ULL << VIRTIO_NET_F_MRG_RXBUF);
	nic_give(f, 10, BUFFER_LEN);
	nic_arrive(f, 1514, 1);
	nic_arrive(f, BUFFER_LEN - NET_HEADER_LEN + 1, 2);
	nic_arrive(f, BUFFER_LEN - NET_HEADER_LEN, 3);
	nic_expect_frame(f, 1514, 1);
	nic_expect_frame(f, BUFFER_LEN - NET_HEADER_LEN, 3);
	assert_int_equal(nic_count(f, "rx_dropped"), 1);
}

/* Buffers in single bytes, the header's too; more parts than are held for one frame. */
static void test_buffers_in_crumbs(void **state)
{
	struct nic_test *f = *state;
	struct vring_desc d[62];
	struct vring_used_elem used = {0};
	const uint8_t *bytes;

	for (unsigned i = 0; i < 62; i++)
		d[i] = (struct vring_desc){
			.addr = BUFFERS + i, .len = 1, .flags = VRING_DESC_F_WRITE};
	nic_start(f, 0);
	(void)driver_add(&f->rx, d, 62);
	for (unsigned i = 0; i < 40; i++)
		driver_offer(&f->rx, 0);
	reg_write(&f->t, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	nic_arrive(f, 50, 9);
	assert_true(nic_take(f, &f->rx, &used));
	assert_int_equal(used.len, 62);
	bytes = driver_at(&f->rx, BUFFERS, 62);
	assert_int_equal(le16(bytes + 10), 1);
	for (size_t i = 0; i < 50; i++)
		assert_int_equal(bytes[12 + i], (uint8_t)(9 + i * 7));
	for (unsigned i = 0; i < 30; i++) {
		nic_arrive(f, 50, 9);
		assert_true(nic_take(f, &f->rx, &used));
	}
	nic_arrive(f, (size_t)62 * 9, 9); /* in more parts than are held */
	nic_arrive(f, 50, 9);
	assert_true(nic_take(f, &f->rx, &used));
	assert_int_equal(nic_count(f, "rx_dropped"), 1);
}

/* A flood takes turns with the timer that ends it, and what the host does not take is no memory. */
static void test_flood(void **state)
{
	struct nic_test *f = *state;
	struct vring_used_elem used = {0};
	unsigned got = 0;

	nic_give(f, 64, BUFFER_LEN);
	for (unsigned i = 0; i < 3000; i++) {
		uint8_t frame[NET_HEADER_LEN + 60] = {0};

		(void)send(f->fake.host[0], frame, sizeof(frame), 0);
		if (i % 50 != 0)
			continue;
		nic_run(f, 100);
		while (driver_take(&f->rx, &used)) {
			got++;
			driver_offer(&f->rx, (uint16_t)used.id);
		}
		reg_write(&f->t, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	}
	assert_true(got > 1000);
	nic_arrive(f, 99, 1);
	nic_run(f, 2000);
	assert_false(nic_needs_reset(f));
}

static void test_bad_receive_buffers(void **state)
{
	struct nic_test *f = *state;
	const struct vring_desc bad[] = {
		{.addr = BUFFERS, .len = 11, .flags = VRING_DESC_F_WRITE},
		{.addr = BUFFERS, .len = 0, .flags = VRING_DESC_F_WRITE},
		{.addr = BUFFERS, .len = BUFFER_LEN},
		{.addr = UINT64_MAX - 5, .len = BUFFER_LEN, .flags = VRING_DESC_F_WRITE},
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		nic_start(f, 0);
		(void)driver_add(&f->rx, &bad[i], 1);
		reg_write(&f->t, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
		assert_true(nic_needs_reset(f));
	}
	nic_start(f, 0);
	nic_give(f, 50, BUFFER_LEN);
	nic_arrive(f, 60, 1);
	nic_expect_frame(f, 60, 1);
}

/* After a reset with buffers held and a frame half delivered, nothing is written to them. */
static void test_reset_with_buffers_held(void **state)
{
	struct nic_test *f = *state;

	for (unsigned i = 0; i < 100; i++) {
		nic_give(f, 2, BUFFER_LEN);
		nic_arrive(f, 4000, 1);
		nic_run(f, 200);
		reg_write(&f->t, VIRTIO_MMIO_STATUS, 0);
		memset(driver_at(&f->rx, BUFFERS, 3ULL * BUFFER_LEN), 0x22, 3ULL * BUFFER_LEN);
		nic_arrive(f, 60, 7);
		nic_run(f, 200);
		for (size_t k = 0; k < 3ULL * BUFFER_LEN; k++)
			assert_int_equal(*(uint8_t *)driver_at(&f->rx, BUFFERS + k, 1), 0x22);
		nic_start(f, 0);
		nic_give(f, 50, BUFFER_LEN);
		nic_expect_frame(f, 60, 7);
	}
}

/* --- sending --- */

static uint16_t transmit(struct nic_test *f, const struct virtio_net_hdr_v1 *h, uint32_t len)
{
	struct vring_desc d = {.addr = FRAME, .len = NET_HEADER_LEN + len};
	uint8_t *bytes = driver_at(&f->tx, FRAME, NET_HEADER_LEN + (uint64_t)len);
	uint16_t head;

	memcpy(bytes, h, sizeof(*h));
	for (uint32_t i = 0; i < len; i++)
		bytes[NET_HEADER_LEN + i] = (uint8_t)(i * 3);
	head = driver_add(&f->tx, &d, 1);
	reg_write(&f->t, VIRTIO_MMIO_QUEUE_NOTIFY, 1);
	return head;
}

/* What the host got; -1: nothing. */
static ssize_t host_got(struct nic_test *f, uint8_t *out, size_t len)
{
	return recv(f->fake.host[0], out, len, 0);
}

static void test_send(void **state)
{
	struct nic_test *f = *state;
	static const struct virtio_net_hdr_v1 h = {.flags = 1,
						   .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
						   .hdr_len = 54,
						   .gso_size = 1448,
						   .csum_start = 34,
						   .csum_offset = 16,
						   .num_buffers = 0x7777};
	static uint8_t got[70000];
	struct vring_used_elem used = {0};
	struct virtio_net_hdr_v1 seen;

	(void)transmit(f, &h, 40000);
	assert_true(nic_take(f, &f->tx, &used));
	assert_int_equal(used.len, 0);
	assert_int_equal(host_got(f, got, sizeof(got)), 40012);
	memcpy(&seen, got, sizeof(seen));
	assert_memory_equal(&seen, &h, 10);
	assert_int_equal(seen.num_buffers, 0);
	for (size_t i = 0; i < 40000; i++)
		assert_int_equal(got[12 + i], (uint8_t)(i * 3));
	assert_int_equal(nic_count(f, "tx_packets"), 1);
	assert_int_equal(nic_count(f, "tx_bytes"), 40000);
}

static void test_send_in_parts(void **state)
{
	struct nic_test *f = *state;
	struct vring_desc d[] = {{.addr = FRAME, .len = 5},
				 {.addr = FRAME + 5, .len = 3},
				 {.addr = FRAME + 8, .len = 10},
				 {.addr = FRAME + 18, .len = 54}};
	uint8_t got[100], *bytes = driver_at(&f->tx, FRAME, 72);
	struct vring_used_elem used = {0};

	memset(bytes, 0, 12);
	for (uint8_t i = 12; i < 72; i++)
		bytes[i] = i;
	(void)driver_add(&f->tx, d, 4);
	reg_write(&f->t, VIRTIO_MMIO_QUEUE_NOTIFY, 1);
	assert_true(nic_take(f, &f->tx, &used));
	assert_int_equal(host_got(f, got, sizeof(got)), 72);
	assert_memory_equal(got, bytes, 72);
}

/* Dropped and counted, and the chain comes back. */
static void test_bad_frames(void **state)
{
	struct nic_test *f = *state;
	static const struct {
		struct virtio_net_hdr_v1 h;
		uint32_t len;
	} rows[] = {
		{{.gso_type = 1}, 100},
		{{.flags = 1, .csum_start = 99}, 100},
		{{.flags = 1, .csum_start = 0xFFFF, .csum_offset = 0xFFFF}, 100},
		{{.flags = 1, .gso_type = 4, .gso_size = 9, .csum_start = 34}, 100},
		{{.gso_type = 0}, 13},
		{{.gso_type = 0}, 0},
		{{.gso_type = 0}, NET_FRAME_MAX + 1},
	};
	struct vring_desc shorter = {.addr = FRAME, .len = 7};
	struct vring_used_elem used = {0};
	uint8_t got[200];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint16_t head = transmit(f, &rows[i].h, rows[i].len);

		assert_true(nic_take(f, &f->tx, &used));
		assert_int_equal(used.id, head);
		assert_int_equal(nic_count(f, "tx_bad_headers"), i + 1);
	}
	(void)driver_add(&f->tx, &shorter, 1);
	reg_write(&f->t, VIRTIO_MMIO_QUEUE_NOTIFY, 1);
	assert_true(nic_take(f, &f->tx, &used));
	assert_int_equal(nic_count(f, "tx_bad_headers"), ARRAY_LEN(rows) + 1);
	assert_true(host_got(f, got, sizeof(got)) < 0);
	assert_false(nic_needs_reset(f));
}

/* What the host does not take is dropped, not waited for. */
static void test_a_host_that_is_full(void **state)
{
	struct nic_test *f = *state;
	static const struct virtio_net_hdr_v1 h;
	struct vring_used_elem used = {0};

	for (unsigned i = 0; i < 200; i++) {
		(void)transmit(f, &h, 1500);
		assert_true(nic_take(f, &f->tx, &used));
	}
	assert_true(nic_count(f, "tx_dropped") > 0);
	assert_int_equal(nic_count(f, "tx_dropped") + nic_count(f, "tx_packets"), 200);
}

static void test_rate_limits(void **state)
{
	struct nic_test *f = *state;
	static const struct virtio_net_hdr_v1 h;
	struct vring_used_elem used = {0};

	nic_close(f);
	nic_open(f, (struct net_options){.rx = {.packets = {.rate = 200, .burst = 5}},
					 .tx = {.bytes = {.rate = 20000, .burst = 100}}});
	nic_start(f, 0);
	nic_give(f, 60, BUFFER_LEN);
	for (uint8_t i = 0; i < 12; i++)
		nic_arrive(f, 60, i);
	for (uint8_t i = 0; i < 12; i++)
		nic_expect_frame(f, 60, i);
	for (unsigned i = 0; i < 12; i++)
		(void)transmit(f, &h, 100);
	for (unsigned i = 0; i < 12; i++)
		assert_true(nic_take(f, &f->tx, &used));
	assert_true(nic_count(f, "rx_throttled") >= 5);
	assert_true(nic_count(f, "tx_throttled") >= 5);
	/* A reset does not wait for the rate. */
	for (unsigned i = 0; i < 12; i++)
		(void)transmit(f, &h, 100);
	reg_write(&f->t, VIRTIO_MMIO_STATUS, 0);
	assert_int_equal(reg_read(&f->t, VIRTIO_MMIO_STATUS), 0);
}

/* --- the control queue, features, link --- */

/* A command with `len` bytes in all; returns the answer. */
static uint8_t command(struct nic_test *f, const void *bytes, uint32_t len)
{
	struct vring_desc d[] = {{.addr = COMMAND, .len = len},
				 {.addr = ANSWER, .len = 1, .flags = VRING_DESC_F_WRITE}};
	struct vring_used_elem used = {0};
	uint8_t *answer = driver_at(&f->control, ANSWER, 1);
	bool several = vdev_has(net_vdev(f->net), VIRTIO_NET_F_MQ);

	memcpy(driver_at(&f->control, COMMAND, len), bytes, len);
	*answer = 0xEE;
	(void)driver_add(&f->control, d, 2);
	reg_write(&f->t, VIRTIO_MMIO_QUEUE_NOTIFY, several ? 2 * PAIRS : 2);
	assert_true(nic_take(f, &f->control, &used));
	assert_int_equal(used.len, 1);
	return *answer;
}

#define COMMAND_OF(f, ...) command(f, (uint8_t[]){__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__}))

static void test_commands(void **state)
{
	struct nic_test *f = *state;

	for (uint8_t i = 0; i < 6; i++)
		assert_int_equal(COMMAND_OF(f, 0, i, 1), VIRTIO_NET_OK);
	assert_int_equal(COMMAND_OF(f, 0, 6, 1), VIRTIO_NET_ERR);
	assert_int_equal(COMMAND_OF(f, 0, 0), VIRTIO_NET_ERR);
	assert_int_equal(COMMAND_OF(f, 0, 0, 1, 1), VIRTIO_NET_ERR);
	assert_int_equal(COMMAND_OF(f, 0), VIRTIO_NET_ERR);
	assert_int_equal(COMMAND_OF(f, 99, 0, 1), VIRTIO_NET_ERR);
	/* Tables of addresses. */
	assert_int_equal(COMMAND_OF(f, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0), VIRTIO_NET_OK);
	assert_int_equal(COMMAND_OF(f, 1, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 1, 0, 0, 0, 0),
			 VIRTIO_NET_OK);
	assert_int_equal(COMMAND_OF(f, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0), VIRTIO_NET_ERR);
	assert_int_equal(COMMAND_OF(f, 1, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0), VIRTIO_NET_ERR);
	assert_int_equal(COMMAND_OF(f, 1, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF), VIRTIO_NET_ERR);
	assert_int_equal(COMMAND_OF(f, 1, 0, 0, 0, 0, 0), VIRTIO_NET_ERR);
	assert_int_equal(nic_count(f, "refused_commands"), 9);
	assert_int_equal(nic_count(f, "commands"), 17);
}

static void test_address(void **state)
{
	struct nic_test *f = *state;
	uint8_t mac[6] = {0};

	assert_int_equal(COMMAND_OF(f, 1, 1, 2, 1, 2, 3, 4, 5), VIRTIO_NET_OK);
	for (uint32_t i = 0; i < 6; i++)
		virtio_mmio_read(&f->t, VIRTIO_MMIO_CONFIG + i, &mac[i], 1);
	assert_memory_equal(mac, ((uint8_t[]){2, 1, 2, 3, 4, 5}), 6);
	assert_int_equal(COMMAND_OF(f, 1, 1, 3, 1, 2, 3, 4, 5), VIRTIO_NET_ERR); /* a group's */
	assert_int_equal(COMMAND_OF(f, 1, 1, 2, 1, 2, 3, 4), VIRTIO_NET_ERR);
	/* The next driver finds the first one. */
	nic_start(f, 0);
	for (uint32_t i = 0; i < 6; i++)
		virtio_mmio_read(&f->t, VIRTIO_MMIO_CONFIG + i, &mac[i], 1);
	assert_memory_equal(mac, ((uint8_t[]){2, 0, 0, 0, 0, 9}), 6);
}

static void test_pairs(void **state)
{
	struct nic_test *f = *state;

	assert_int_equal(f->fake.pairs, 1);
	assert_int_equal(COMMAND_OF(f, 4, 0, PAIRS, 0), VIRTIO_NET_OK);
	assert_int_equal(f->fake.pairs, PAIRS);
	assert_int_equal(COMMAND_OF(f, 4, 0, 0, 0), VIRTIO_NET_ERR);
	assert_int_equal(COMMAND_OF(f, 4, 0, PAIRS + 1, 0), VIRTIO_NET_ERR);
	assert_int_equal(COMMAND_OF(f, 4, 0, 0, 0x80), VIRTIO_NET_ERR);
	assert_int_equal(COMMAND_OF(f, 4, 1, 1, 0), VIRTIO_NET_ERR);
	assert_int_equal(f->fake.pairs, PAIRS);
	/* A driver that has no such feature: the control queue is the third. */
	nic_start(f, 1ULL << VIRTIO_NET_F_MQ);
	assert_int_equal(f->fake.pairs, 1);
	assert_int_equal(COMMAND_OF(f, 4, 0, PAIRS, 0), VIRTIO_NET_ERR);
	assert_int_equal(COMMAND_OF(f, 0, 0, 1), VIRTIO_NET_OK);
}

static void test_a_command_without_an_answer(void **state)
{
	struct nic_test *f = *state;
	struct vring_desc d = {.addr = COMMAND, .len = 3};

	(void)driver_add(&f->control, &d, 1);
	reg_write(&f->t, VIRTIO_MMIO_QUEUE_NOTIFY, 2 * PAIRS);
	assert_true(nic_needs_reset(f));
	nic_start(f, 0);
	assert_int_equal(COMMAND_OF(f, 0, 0, 1), VIRTIO_NET_OK);
}

static void test_configuration_space(void **state)
{
	struct nic_test *f = *state;

	assert_int_equal(net_vdev(f->net)->config_len, 12);
	assert_int_equal(reg_read(&f->t, VIRTIO_MMIO_CONFIG), 0x00000002);
	assert_int_equal(reg_read(&f->t, VIRTIO_MMIO_CONFIG + 4), 1U << 16 | 0x0900);
	assert_int_equal(reg_read(&f->t, VIRTIO_MMIO_CONFIG + 8), 1500U << 16 | PAIRS);
}

static void test_features_reach_the_backend(void **state)
{
	struct nic_test *f = *state;

	assert_int_equal(f->fake.set, OFFLOADS);
	nic_start(f, 1ULL << VIRTIO_NET_F_GUEST_TSO4);
	assert_int_equal(f->fake.set, OFFLOADS & ~(1ULL << VIRTIO_NET_F_GUEST_TSO4));
	nic_start(f, OFFLOADS);
	assert_int_equal(f->fake.set, 0);
}

/* The host's side goes: the link is down, nothing spins, and the guest can still reset. */
static void test_link_goes_down(void **state)
{
	struct nic_test *f = *state;
	static const struct virtio_net_hdr_v1 h;
	uint32_t generation = reg_read(&f->t, VIRTIO_MMIO_CONFIG_GENERATION);
	struct vring_used_elem used = {0};

	nic_give(f, 60, BUFFER_LEN);
	fd_close(&f->fake.host[0]);
	nic_run(f, 5000);
	assert_int_equal(reg_read(&f->t, VIRTIO_MMIO_CONFIG + 4) >> 16, 0);
	assert_int_not_equal(reg_read(&f->t, VIRTIO_MMIO_CONFIG_GENERATION), generation);
	assert_true(reg_read(&f->t, VIRTIO_MMIO_INTERRUPT_STATUS) & VIRTIO_MMIO_INT_CONFIG);
	(void)transmit(f, &h, 100);
	assert_true(nic_take(f, &f->tx, &used));
	assert_int_equal(nic_count(f, "tx_dropped"), 1);
	assert_int_equal(nic_count(f, "tx_packets"), 0);
	assert_int_equal(nic_count(f, "tx_bytes"), 0);
	nic_start(f, 0);
	assert_int_equal(COMMAND_OF(f, 0, 0, 1), VIRTIO_NET_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, nic_setup, nic_teardown)

/* What the second pair's queue would be is the control queue then. */
static void test_saved_pairs_without_their_feature(void **state)
{
	struct nic_test *f = *state;
	struct net_state saved;
	struct verr e = VERR_INIT;

	nic_start(f, 1ULL << VIRTIO_NET_F_MQ);
	vdev_pause(net_vdev(f->net));
	net_capture(f->net, &saved);
	saved.active_pairs = PAIRS;
	assert_fault(net_apply(f->net, &saved, &e), &e, VERR_CORRUPT, "pairs of queues");
	vdev_resume(net_vdev(f->net));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_receive),
		TEST(test_receive_in_many_buffers),
		TEST(test_buffers_come_late),
		TEST(test_a_frame_for_no_queue),
		TEST(test_without_merged_buffers),
		TEST(test_buffers_in_crumbs),
		TEST(test_flood),
		TEST(test_bad_receive_buffers),
		TEST(test_reset_with_buffers_held),
		TEST(test_send),
		TEST(test_send_in_parts),
		TEST(test_bad_frames),
		TEST(test_a_host_that_is_full),
		TEST(test_rate_limits),
		TEST(test_commands),
		TEST(test_address),
		TEST(test_pairs),
		TEST(test_saved_pairs_without_their_feature),
		TEST(test_a_command_without_an_answer),
		TEST(test_configuration_space),
		TEST(test_features_reach_the_backend),
		TEST(test_link_goes_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
