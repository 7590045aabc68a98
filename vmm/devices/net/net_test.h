/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A NIC under test: a driver for its first pair and its control queue, and a backend that is a pair
 * of sockets, whose other ends are the host.
 */
#ifndef VOLT_VMM_DEVICES_NET_NET_TEST_H
#define VOLT_VMM_DEVICES_NET_NET_TEST_H

#include <fcntl.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/own.h"
#include "vmm/devices/devices_test.h"
#include "vmm/devices/net/net.h"
#include "vmm/virtio/virtio_test.h"

#define PAIRS 2
#define OFFLOADS                                                      \
	(1ULL << VIRTIO_NET_F_CSUM | 1ULL << VIRTIO_NET_F_HOST_TSO4 | \
	 1ULL << VIRTIO_NET_F_GUEST_CSUM | 1ULL << VIRTIO_NET_F_GUEST_TSO4)

struct fake {
	struct net_backend backend; /* first */
	int host[PAIRS];
	uint64_t set;   /* features */
	uint16_t pairs; /* in use */
	bool freed;
};

static inline ssize_t fake_receive(struct net_backend *b, uint16_t pair, const struct iovec *iov,
				   int niov)
{
	ssize_t n = readv(b->fds[pair], iov, niov);

	/* The other end is closed: as when a TAP device is deleted. */
	if (n == 0)
		errno = EBADFD;
	return n == 0 ? -1 : n;
}

static inline ssize_t fake_send(struct net_backend *b, uint16_t pair, const struct iovec *iov,
				int niov)
{
	struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)niov};

	return sendmsg(b->fds[pair], &m, MSG_NOSIGNAL);
}

static inline int fake_set_features(struct net_backend *b, uint64_t features, struct verr *e)
{
	(void)e;
	((struct fake *)b)->set = features;
	return 0;
}

static inline int fake_set_pairs(struct net_backend *b, uint16_t pairs, struct verr *e)
{
	(void)e;
	((struct fake *)b)->pairs = pairs;
	return 0;
}

/* The host's ends stay what they are: of the new ones the caller has the others. */
static inline int fake_exchange(struct net_backend *b, const struct net_exchange *x, struct verr *e)
{
	struct fake *f = (struct fake *)b;

	if (x->count != PAIRS)
		return verr_invalid(e, "expected %d", PAIRS);
	for (int i = 0; i < PAIRS; i++)
		assert_true(dup3(x->fds[i], b->fds[i], O_CLOEXEC) >= 0);
	f->set = x->features;
	f->pairs = x->pairs;
	return 0;
}

static inline void fake_free(struct net_backend *b)
{
	struct fake *f = (struct fake *)b;

	for (int i = 0; i < PAIRS; i++) {
		fd_close(&b->fds[i]);
		fd_close(&f->host[i]);
	}
	f->freed = true;
}

static const struct net_backend_class fake_class = {
	.name = "fake",
	.receive = fake_receive,
	.send = fake_send,
	.set_features = fake_set_features,
	.set_pairs = fake_set_pairs,
	.exchange = fake_exchange,
	.free = fake_free,
};

static inline void fake_init(struct fake *f)
{
	*f = (struct fake){.backend = {.class = &fake_class,
				       .features = OFFLOADS,
				       .pairs = PAIRS,
				       .mtu = 1500,
				       .changes = -1}};
	for (int i = 0; i < PAIRS; i++) {
		int both[2];

		assert_int_equal(
			socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, both),
			0);
		f->backend.fds[i] = both[0];
		f->host[i] = both[1];
	}
}

struct nic_test {
	struct driver rx, tx, control; /* one memory, rx's */
	struct loop *loop;
	struct loop_source timer;
	struct fake fake;
	struct net *net;
	struct virtio_mmio t;
};

static inline void nic_on_timer(void *arg)
{
	loop_stop(((struct nic_test *)arg)->loop);
}

/* Turns of the loop, for as long as `microseconds`. */
static inline void nic_run(struct nic_test *f, uint64_t microseconds)
{
	struct verr e = VERR_INIT;

	loop_timer_arm(&f->timer, microseconds);
	assert_ok(loop_run(f->loop, &e), &e);
}

static inline void nic_open(struct nic_test *f, struct net_options o)
{
	static const uint8_t mac[] = {2, 0, 0, 0, 0, 9};
	struct verr e = VERR_INIT;

	o.id = "nic-under-test";
	o.mtu = 1500;
	memcpy(o.mac, mac, sizeof(mac));
	o.loops = &f->loop;
	o.nloops = 1;
	fake_init(&f->fake);
	assert_ok(net_new(&o, &f->fake.backend, &f->net, &e), &e);
	assert_ok(virtio_mmio_init(&f->t, net_vdev(f->net), f->rx.mem, &e), &e);
}

static inline void nic_close(struct nic_test *f)
{
	f->net = net_free(f->net);
	assert_true(f->fake.freed);
	virtio_mmio_deinit(&f->t);
}

/* From reset to DRIVER_OK; all that is offered but `left_out` and event indices. */
static inline void nic_start(struct nic_test *f, uint64_t left_out)
{
	uint64_t features =
		net_vdev(f->net)->offered & ~(1ULL << VIRTIO_RING_F_EVENT_IDX) & ~left_out;
	bool several = features >> VIRTIO_NET_F_MQ & 1;
	struct driver *queues[] = {&f->rx, &f->tx, &f->control};
	uint32_t places[] = {0, 1, several ? 2 * PAIRS : 2};

	driver_negotiate(&f->t, features);
	for (int i = 0; i < 3; i++) {
		struct queue_setup s = driver_setup(queues[i]);

		driver_clear(queues[i]);
		driver_set_up_queue(&f->t, places[i], &s);
	}
	driver_set_status(&f->t, VIRTIO_CONFIG_S_DRIVER_OK);
}

static inline int nic_setup(void **state)
{
	struct nic_test *f = calloc(1, sizeof(*f));
	struct verr e = VERR_INIT;

	assert_non_null(f);
	f->rx = f->tx = f->control = driver_new(64);
	f->tx.rings = 0x4000;
	f->control.rings = 0x8000;
	assert_ok(loop_new(&f->loop, &e), &e);
	assert_ok(loop_timer_init(&f->timer, f->loop, nic_on_timer, f, &e), &e);
	nic_open(f, (struct net_options){0});
	nic_start(f, 0);
	*state = f;
	return 0;
}

static inline int nic_teardown(void **state)
{
	struct nic_test *f = *state;

	nic_close(f);
	loop_source_deinit(&f->timer);
	f->loop = loop_free(f->loop);
	driver_free(&f->rx);
	free(f);
	return 0;
}

/* Run until the driver has got a chain of this queue back. */
static inline bool nic_take(struct nic_test *f, struct driver *d, struct vring_used_elem *used)
{
	for (int tries = 0; tries < 2000; tries++) {
		if (driver_take(d, used))
			return true;
		nic_run(f, 500);
	}
	return false;
}

static inline uint64_t nic_count(struct nic_test *f, const char *name)
{
	return metric_named(net_metrics(f->net), name);
}

static inline bool nic_needs_reset(struct nic_test *f)
{
	nic_run(f, 1000);
	return reg_read(&f->t, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET;
}

/* --- receiving --- */

#define BUFFERS DRIVER_DATA /* to receive into */
#define BUFFER_LEN 1536

/* Give `count` buffers of `len` bytes, one behind the other. */
static inline void nic_give(struct nic_test *f, unsigned count, uint32_t len)
{
	for (unsigned i = 0; i < count; i++) {
		struct vring_desc d = {.addr = BUFFERS +
					       (f->rx.next_desc % 64) * (uint64_t)BUFFER_LEN,
				       .len = len,
				       .flags = VRING_DESC_F_WRITE};

		(void)driver_add(&f->rx, &d, 1);
	}
	reg_write(&f->t, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
}

/* The host sends a frame of `len` bytes. */
static inline void nic_arrive(struct nic_test *f, size_t len, uint8_t first)
{
	uint8_t *bytes = calloc(1, NET_HEADER_LEN + len);

	assert_non_null(bytes);
	for (size_t i = 0; i < len; i++)
		bytes[NET_HEADER_LEN + i] = (uint8_t)(first + i * 7);
	assert_int_equal(send(f->fake.host[0], bytes, NET_HEADER_LEN + len, 0),
			 NET_HEADER_LEN + len);
	free(bytes);
}

/* The frame is there, in as many buffers as it needs. */
static inline void nic_expect_frame(struct nic_test *f, size_t len, uint8_t first)
{
	struct vring_used_elem used = {0};
	uint16_t buffers = 0, taken = 0;
	size_t at = 0;

	do {
		const uint8_t *bytes;
		uint32_t i = 0;

		assert_true(nic_take(f, &f->rx, &used));
		assert_true(used.len <= BUFFER_LEN);
		bytes = driver_at(&f->rx, BUFFERS + used.id * (uint64_t)BUFFER_LEN, used.len);
		if (taken++ == 0) {
			buffers = le16(bytes + offsetof(struct virtio_net_hdr_v1, num_buffers));
			i = NET_HEADER_LEN;
		}
		for (; i < used.len; i++, at++)
			assert_int_equal(bytes[i], (uint8_t)(first + at * 7));
	} while (taken < buffers);
	assert_int_equal(at, len);
}

#endif
