/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/devices/net/stream.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>

#include "vmm/devices/net/net_test.h"

#define LOTS 65535

struct stream_test {
	struct net_backend *backend;
	int peer; /* the other end */
};

static int open_stream(struct stream_test *f, bool loopback)
{
	struct stream_options o = {.mtu = STREAM_MTU, .loopback = loopback, .fresh = true};
	struct verr e = VERR_INIT;
	int both[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both), 0);
	f->peer = both[1];
	assert_ok(stream_new(both[0], &o, &f->backend, &e), &e);
	assert_int_equal(f->backend->pairs, 1);
	assert_int_equal(f->backend->mtu, STREAM_MTU);
	return 0;
}

static int setup(void **state)
{
	struct stream_test *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	*state = f;
	return open_stream(f, false);
}

static int teardown(void **state)
{
	struct stream_test *f = *state;

	f->backend = net_backend_free(f->backend);
	fd_close(&f->peer);
	free(f);
	return 0;
}

/* --- from the peer --- */

static void put(struct stream_test *f, const void *bytes, size_t len)
{
	assert_int_equal(write(f->peer, bytes, len), len);
}

static void put_length(struct stream_test *f, uint32_t len)
{
	len = htonl(len);
	put(f, &len, sizeof(len));
}

static uint8_t taken[NET_HEADER_LEN + NET_FRAME_MAX + 1];

static ssize_t take(struct stream_test *f)
{
	struct iovec iov[] = {{taken, 5}, {taken + 5, 20}, {taken + 25, sizeof(taken) - 25}};

	memset(taken, 0xEE, sizeof(taken));
	return f->backend->class->receive(f->backend, 0, iov, 3);
}

static void assert_nothing(struct stream_test *f, int error)
{
	assert_int_equal(take(f), -1);
	assert_int_equal(errno, error);
}

static void test_receive(void **state)
{
	static const uint8_t header[NET_HEADER_LEN];
	struct stream_test *f = *state;
	uint8_t frame[100];

	memset(frame, 7, sizeof(frame));
	assert_nothing(f, EAGAIN);
	put_length(f, 60);
	assert_nothing(f, EAGAIN);
	put(f, frame, 59);
	assert_nothing(f, EAGAIN);
	put(f, frame, 1);
	assert_int_equal(take(f), NET_HEADER_LEN + 60);
	assert_memory_equal(taken, header, sizeof(header));
	assert_memory_equal(taken + NET_HEADER_LEN, frame, 60);
	assert_int_equal(taken[NET_HEADER_LEN + 60], 0xEE);
	assert_nothing(f, EAGAIN);
	/* Byte by byte, and several at once. */
	for (int i = 0; i < 4; i++) {
		put(f, i == 3 ? "\x0e" : "\0", 1);
		assert_nothing(f, EAGAIN);
	}
	put(f, frame, 14);
	for (uint32_t i = 1; i < 50; i++) {
		put_length(f, i);
		put(f, frame, i);
	}
	assert_int_equal(take(f), NET_HEADER_LEN + 14);
	for (int i = 1; i < 50; i++)
		assert_int_equal(take(f), NET_HEADER_LEN + i);
	assert_nothing(f, EAGAIN);
}

static void test_empty_frames(void **state)
{
	struct stream_test *f = *state;

	put(f, (uint8_t[4000]){0}, 4000);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(take(f), NET_HEADER_LEN);
	assert_nothing(f, EAGAIN);
}

static void test_longest_frames(void **state)
{
	static uint8_t frame[NET_FRAME_MAX];
	struct stream_test *f = *state;

	for (int i = 0; i < 20; i++) {
		put_length(f, NET_FRAME_MAX);
		memset(frame, i, sizeof(frame));
		put(f, frame, sizeof(frame));
		assert_int_equal(take(f), NET_HEADER_LEN + NET_FRAME_MAX);
		assert_memory_equal(taken + NET_HEADER_LEN, frame, sizeof(frame));
		assert_int_equal(taken[NET_HEADER_LEN + NET_FRAME_MAX], 0xEE);
	}
}

/* It ends the link, also for what came behind it, and for frames to be sent. */
static void test_too_long(void **state)
{
	static const uint32_t lengths[] = {NET_FRAME_MAX + 1, 0x10000000, 0x80000000, UINT32_MAX};
	static uint8_t frame[NET_HEADER_LEN + 60];
	struct iovec iov = {frame, sizeof(frame)};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		struct stream_test f;

		(void)open_stream(&f, false);
		put_length(&f, 14);
		put(&f, frame, 14);
		put_length(&f, lengths[i]);
		assert_int_equal(take(&f), NET_HEADER_LEN + 14);
		assert_nothing(&f, EPROTO);
		put_length(&f, 14);
		put(&f, frame, 14);
		assert_nothing(&f, ECONNRESET);
		assert_int_equal(f.backend->class->send(f.backend, 0, &iov, 1), -1);
		assert_int_equal(errno, EBADFD);
		f.backend = net_backend_free(f.backend);
		fd_close(&f.peer);
	}
}

static void test_end(void **state)
{
	struct stream_test *f = *state;

	put_length(f, 20);
	put(f, "abc", 3);
	fd_close(&f->peer);
	assert_nothing(f, ECONNRESET);
	assert_nothing(f, ECONNRESET);
}

/* --- to the peer --- */

static ssize_t give(struct stream_test *f, const void *frame, size_t len)
{
	static uint8_t header[NET_HEADER_LEN];
	uint8_t *at = (uint8_t *)(uintptr_t)frame;
	size_t part = MIN(len, 9);
	struct iovec iov[] = {{header, sizeof(header)}, {at, part}, {at + part, len - part}};

	return f->backend->class->send(f->backend, 0, iov, len > part ? 3 : 2);
}

static void get(struct stream_test *f, void *bytes, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = read(f->peer, (uint8_t *)bytes + done, len - done);

		assert_true(n > 0);
		done += (size_t)n;
		(void)f->backend->class->flush(f->backend, 0);
	}
}

static void get_frame(struct stream_test *f, const void *expected, size_t len)
{
	static uint8_t frame[LOTS];
	uint32_t length;

	get(f, &length, sizeof(length));
	assert_int_equal(ntohl(length), len);
	get(f, frame, len);
	assert_memory_equal(frame, expected, len);
}

static void test_send(void **state)
{
	static uint8_t frame[LOTS + 1];
	struct stream_test *f = *state;
	static const size_t lengths[] = {14, 15, 57, 58, 59, 60, 1514, LOTS};

	for (size_t i = 0; i < sizeof(frame); i++)
		frame[i] = (uint8_t)(i * 7 >> 3);
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		assert_int_equal(give(f, frame, lengths[i]), NET_HEADER_LEN + lengths[i]);
		get_frame(f, frame, lengths[i]);
	}
	assert_int_equal(give(f, frame, LOTS + 1), -1);
	assert_int_equal(errno, EMSGSIZE);
}

/* What the peer does not take waits: part of one frame here, the others with the driver. */
static void test_peer_that_does_not_read(void **state)
{
	static uint8_t frame[LOTS];
	struct stream_test *f = *state;
	unsigned sent = 0;

	do
		memset(frame, (int)sent, sizeof(frame));
	while (give(f, frame, LOTS) == NET_HEADER_LEN + LOTS && ++sent < 100);
	assert_int_equal(errno, EAGAIN);
	assert_in_range(sent, 1, 99);
	assert_false(f->backend->class->flush(f->backend, 0));
	for (unsigned i = 0; i < sent; i++) {
		memset(frame, (int)i, sizeof(frame));
		get_frame(f, frame, LOTS);
	}
	assert_true(f->backend->class->flush(f->backend, 0));
	assert_int_equal(give(f, frame, 60), NET_HEADER_LEN + 60);
	get_frame(f, frame, 60);
}

static void test_send_to_nobody(void **state)
{
	static uint8_t frame[60];
	struct stream_test *f = *state;

	fd_close(&f->peer);
	assert_int_equal(give(f, frame, sizeof(frame)), -1);
	assert_int_equal(errno, EBADFD);
	assert_true(f->backend->class->flush(f->backend, 0));
	assert_nothing(f, ECONNRESET);
}

/* --- loopback --- */

static const uint8_t *ipv4_to(const char *address)
{
	static uint8_t frame[60] = {[12] = 0x08, [14] = 0x45};

	assert_int_equal(inet_pton(AF_INET, address, frame + 30), 1);
	return frame;
}

static const uint8_t *ipv6_to(const char *address)
{
	static uint8_t frame[60] = {[12] = 0x86, [13] = 0xDD, [14] = 0x60};

	assert_int_equal(inet_pton(AF_INET6, address, frame + 38), 1);
	return frame;
}

static void test_loopback(void **state)
{
	static const char *const bad4[] = {"127.0.0.1", "127.255.255.255", "0.0.0.0", "0.1.2.3"};
	static const char *const good4[] = {"10.0.0.1", "128.0.0.1", "1.0.0.0", "255.255.255.255",
					    "169.254.1.1"};
	static const char *const bad6[] = {"::1", "::", "::ffff:127.0.0.1", "::ffff:0.0.0.0"};
	static const char *const good6[] = {"fe80::1", "::2", "ff02::1", "::ffff:10.0.0.1", "1::1"};
	struct stream_test *f = *state, open;

	for (size_t i = 0; i < ARRAY_LEN(bad4); i++) {
		assert_int_equal(give(f, ipv4_to(bad4[i]), 60), -1);
		assert_int_equal(errno, EPERM);
		assert_int_equal(give(f, ipv6_to(bad6[i]), 60), -1);
		assert_int_equal(errno, EPERM);
	}
	for (size_t i = 0; i < ARRAY_LEN(good4); i++) {
		assert_int_equal(give(f, ipv4_to(good4[i]), 60), NET_HEADER_LEN + 60);
		get_frame(f, ipv4_to(good4[i]), 60);
		assert_int_equal(give(f, ipv6_to(good6[i]), 60), NET_HEADER_LEN + 60);
		get_frame(f, ipv6_to(good6[i]), 60);
	}
	/* Too short to have an address, and so to be one passt looks at. */
	assert_false(stream_to_loopback(ipv4_to("127.0.0.1"), 33));
	assert_false(stream_to_loopback(ipv6_to("::1"), 53));
	assert_false(stream_to_loopback(ipv4_to("127.0.0.1"), 0));
	(void)open_stream(&open, true);
	assert_int_equal(give(&open, ipv4_to("127.0.0.1"), 60), NET_HEADER_LEN + 60);
	open.backend = net_backend_free(open.backend);
	fd_close(&open.peer);
}

/* --- a NIC over it --- */

struct over {
	struct nic_test *nic;
	struct stream_test stream;
};

#define FRAMES 60
#define FRAME_LEN 60000UL

static int over_setup(void **state)
{
	static const uint8_t mac[] = {2, 0, 0, 0, 0, 9};
	struct over *o = calloc(1, sizeof(*o));
	struct verr e = VERR_INIT;
	struct net_options options = {.id = "nic-under-test", .mtu = STREAM_MTU, .nloops = 1};
	void *nic = NULL;

	assert_non_null(o);
	(void)nic_setup(&nic);
	o->nic = nic;
	o->nic->net = net_free(o->nic->net);
	virtio_mmio_deinit(&o->nic->t);
	(void)open_stream(&o->stream, false);
	assert_int_equal(fcntl(o->stream.peer, F_SETFL, O_NONBLOCK), 0);
	options.loops = &o->nic->loop;
	memcpy(options.mac, mac, sizeof(mac));
	assert_ok(net_new(&options, o->stream.backend, &o->nic->net, &e), &e);
	assert_ok(virtio_mmio_init(&o->nic->t, net_vdev(o->nic->net), o->nic->rx.mem, &e), &e);
	nic_start(o->nic, 0);
	*state = o;
	return 0;
}

static int over_teardown(void **state)
{
	struct over *o = *state;
	void *nic = o->nic;

	(void)nic_teardown(&nic);
	fd_close(&o->stream.peer);
	free(o);
	return 0;
}

/* Nothing is lost, and all in order, although the peer reads only a little now and then. */
static void send_all(struct over *o, uint32_t len, size_t part)
{
	static uint8_t all[FRAMES * (4 + FRAME_LEN)];
	struct driver *tx = &o->nic->tx;
	size_t done = 0, size = FRAMES * (4 + (size_t)len);
	uint32_t length = htonl(len);

	memset(driver_at(tx, 0x20000, NET_HEADER_LEN), 0, NET_HEADER_LEN);
	for (unsigned i = 0; i < FRAMES; i++) {
		struct vring_desc d[] = {{.addr = 0x20000, .len = NET_HEADER_LEN},
					 {.addr = 0x30000 + i, .len = len}};

		(void)driver_add(tx, d, 2);
		reg_write(&o->nic->t, VIRTIO_MMIO_QUEUE_NOTIFY, 1);
	}
	for (int turns = 0; done < size && turns < 20000; turns++) {
		ssize_t n = read(o->stream.peer, all + done, MIN(size - done, part));

		done += n > 0 ? (size_t)n : 0;
		nic_run(o->nic, 100);
	}
	assert_int_equal(done, size);
	for (size_t i = 0; i < FRAMES; i++)
		assert_memory_equal(all + i * (4 + len), &length, sizeof(length));
	assert_int_equal(nic_count(o->nic, "tx_packets"), FRAMES);
	assert_int_equal(nic_count(o->nic, "tx_dropped"), 0);
}

static void test_slow_peer(void **state)
{
	send_all(*state, FRAME_LEN, 50000);
}

/* The socket takes a small frame in whole or not at all: nothing is kept, and still it waits. */
static void test_slow_peer_of_small_frames(void **state)
{
	struct over *o = *state;
	int least = 1;

	assert_int_equal(
		setsockopt(o->stream.backend->fds[0], SOL_SOCKET, SO_SNDBUF, &least, sizeof(least)),
		0);
	send_all(o, 60, 64);
}

/* A reset in the middle of a frame: the stream stays in step. */
static void test_reset_while_it_waits(void **state)
{
	static uint8_t all[1 << 20];
	struct over *o = *state;
	struct driver *tx = &o->nic->tx;
	struct vring_desc d[] = {{.addr = 0x20000, .len = NET_HEADER_LEN},
				 {.addr = 0x30000, .len = FRAME_LEN}};
	size_t done = 0, at = 0;

	for (unsigned i = 0; i < 20; i++)
		(void)driver_add(tx, d, 2);
	reg_write(&o->nic->t, VIRTIO_MMIO_QUEUE_NOTIFY, 1);
	nic_run(o->nic, 5000);
	nic_start(o->nic, 0);
	d[1].len = 60;
	(void)driver_add(tx, d, 2);
	reg_write(&o->nic->t, VIRTIO_MMIO_QUEUE_NOTIFY, 1);
	for (int quiet = 0; quiet < 20; quiet++) {
		ssize_t n = read(o->stream.peer, all + done, sizeof(all) - done);

		quiet = n > 0 ? 0 : quiet;
		done += n > 0 ? (size_t)n : 0;
		nic_run(o->nic, 1000);
	}
	while (at < done && memcmp(all + at, "\0\0\xEA\x60", 4) == 0)
		at += 4 + FRAME_LEN;
	assert_true(at > 0);
	assert_int_equal(at + 4 + 60, done);
	assert_memory_equal(all + at, "\0\0\0\x3C", 4);
}

static void test_link_goes_down(void **state)
{
	struct over *o = *state;
	struct vring_desc d = {.addr = 0x30000, .len = 2048, .flags = VRING_DESC_F_WRITE};
	uint8_t link = 0xFF;

	(void)driver_add(&o->nic->rx, &d, 1);
	reg_write(&o->nic->t, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	nic_run(o->nic, 1000);
	put_length(&o->stream, 0x7FFFFFFF);
	nic_run(o->nic, 5000);
	virtio_mmio_read(&o->nic->t, VIRTIO_MMIO_CONFIG + 6, &link, 1);
	assert_int_equal(link & VIRTIO_NET_S_LINK_UP, 0);
	assert_false(nic_needs_reset(o->nic));
}

/* A connection of before a restore: the answer comes though the peer says nothing, which hears nothing of it. */
static void test_connection_of_before(void **state)
{
	static const uint8_t segment[54] = {
		[12] = 0x08, [14] = 0x45, [23] = 6, [26] = 10, [30] = 11, [46] = 0x50, [47] = 0x10};
	struct over *o = *state;
	struct driver *tx = &o->nic->tx, *rx = &o->nic->rx;
	struct vring_desc to = {.addr = 0x40000, .len = 2048, .flags = VRING_DESC_F_WRITE};
	struct vring_desc from = {.addr = 0x20000, .len = NET_HEADER_LEN + sizeof(segment)};
	uint8_t got[NET_HEADER_LEN + 54], byte;
	struct vring_used_elem used;
	struct verr e = VERR_INIT;

	o->stream.backend->class->restored(o->stream.backend);
	assert_ok(mem_write(rx->mem, from.addr + NET_HEADER_LEN, segment, sizeof(segment), &e), &e);
	(void)driver_add(rx, &to, 1);
	(void)driver_add(tx, &from, 1);
	reg_write(&o->nic->t, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	reg_write(&o->nic->t, VIRTIO_MMIO_QUEUE_NOTIFY, 1);
	assert_true(nic_take(o->nic, tx, &used));
	assert_true(nic_take(o->nic, rx, &used));
	assert_int_equal(used.len, sizeof(got));
	assert_ok(mem_read(rx->mem, to.addr, got, sizeof(got), &e), &e);
	assert_int_equal(got[NET_HEADER_LEN + 26], 11);
	assert_int_equal(got[NET_HEADER_LEN + 47], 0x04);
	assert_int_equal(recv(o->stream.peer, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(nic_count(o->nic, "rx_packets"), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define OVER(name) cmocka_unit_test_setup_teardown(name, over_setup, over_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_receive),
		TEST(test_empty_frames),
		TEST(test_longest_frames),
		TEST(test_too_long),
		TEST(test_end),
		TEST(test_send),
		TEST(test_peer_that_does_not_read),
		TEST(test_send_to_nobody),
		TEST(test_loopback),
		OVER(test_slow_peer),
		OVER(test_slow_peer_of_small_frames),
		OVER(test_reset_while_it_waits),
		OVER(test_link_goes_down),
		OVER(test_connection_of_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
