/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drive a NIC by its queues: chains to receive into, frames to send, commands, in any order, while
 * frames arrive. Whatever comes, the host is given only headers that make sense, frames are read
 * only into guest memory and the spill behind it, and in the end a reset makes a NIC that works.
 */
#include <errno.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_net.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "fuzz/virtio_fuzz.h"
#include "vmm/devices/net/frame.h"
#include "vmm/devices/net/net.h"
#include "vmm/virtio/mmio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMORY, DESC, HEADER, OFFER, KICK, ARRIVE, TURN, REGISTER, INIT, OPS };

#define PAIRS 2
#define QUEUES (2 * PAIRS + 1)
#define SIZE 16
#define AREA 0x10000ULL /* of guest memory, for each queue's rings */
#define HEADERS 0x8000  /* in the first area, 16 bytes each */
#define OFFLOADS                                                                                   \
	(1ULL << VIRTIO_NET_F_CSUM | 1ULL << VIRTIO_NET_F_HOST_TSO4 |                              \
	 1ULL << VIRTIO_NET_F_HOST_TSO6 | 1ULL << VIRTIO_NET_F_HOST_ECN | 1ULL << NET_F_HOST_USO | \
	 1ULL << VIRTIO_NET_F_GUEST_CSUM | 1ULL << VIRTIO_NET_F_GUEST_TSO4)

struct fuzz {
	struct net_backend backend; /* first */
	struct mem *mem;
	struct loop *loop;
	struct loop_source end;
	struct net *net;
	struct virtio_mmio t;
	uint16_t avail[QUEUES];
	uint32_t waiting; /* length of the frame that the backend has; 0: none */
	unsigned sent, received;
};

static struct fuzz fuzz;

/* --- the backend --- */

static ssize_t fake_receive(struct net_backend *b, uint16_t pair, const struct iovec *iov, int niov)
{
	struct fuzz *f = (struct fuzz *)b;
	static const uint8_t zero[NET_HEADER_LEN + NET_FRAME_MAX];
	uint32_t len = f->waiting;

	CHECK(pair < PAIRS && niov > 1);
	errno = EAGAIN;
	if (len == 0)
		return -1;
	for (int i = 0; i + 1 < niov; i++)
		CHECK(in_memory(f->mem, iov[i].iov_base, iov[i].iov_len));
	CHECK(!in_memory(f->mem, iov[niov - 1].iov_base, 1));
	CHECK(iov_write(iov, (size_t)niov, 0, zero, len) == len);
	f->waiting = 0;
	f->received++;
	return len;
}

static ssize_t fake_send(struct net_backend *b, uint16_t pair, const struct iovec *iov, int niov)
{
	struct fuzz *f = (struct fuzz *)b;
	struct virtio_net_hdr_v1 h;
	size_t len = 0;

	CHECK(pair < PAIRS && niov > 1 && iov[0].iov_len == sizeof(h));
	CHECK(!in_memory(f->mem, iov[0].iov_base, 1));
	memcpy(&h, iov[0].iov_base, sizeof(h));
	for (int i = 1; i < niov; i++) {
		CHECK(in_memory(f->mem, iov[i].iov_base, iov[i].iov_len) && iov[i].iov_len > 0);
		len += iov[i].iov_len;
	}
	CHECK(len >= 14 && len <= NET_FRAME_MAX && (h.flags & ~1) == 0 && h.num_buffers == 0);
	CHECK(h.flags == 0 || (size_t)h.csum_start + h.csum_offset + 2 <= len);
	CHECK(h.gso_type == 0 || (h.flags == 1 && h.gso_size > 0 && h.hdr_len <= len));
	f->sent++;
	return (ssize_t)(len + sizeof(h));
}

static int fake_set_features(struct net_backend *b, uint64_t features, struct verr *e)
{
	(void)e;
	CHECK((features & ~b->features) == 0);
	return 0;
}

static int fake_set_pairs(struct net_backend *b, uint16_t pairs, struct verr *e)
{
	(void)b;
	(void)e;
	CHECK(pairs >= 1 && pairs <= PAIRS);
	return 0;
}

static void fake_free(struct net_backend *b)
{
	for (int i = 0; i < PAIRS; i++)
		(void)close(b->fds[i]);
}

static const struct net_backend_class fake_class = {
	.name = "fuzz",
	.receive = fake_receive,
	.send = fake_send,
	.set_features = fake_set_features,
	.set_pairs = fake_set_pairs,
	.free = fake_free,
};

/* --- the driver --- */

static void on_end(void *arg)
{
	loop_stop(arg);
}

static void set_up(struct fuzz *f)
{
	struct net_options o = {.id = "fuzz", .mtu = 1500, .loops = &f->loop, .nloops = 1};
	struct verr e = VERR_INIT;

	log_setup(&(struct log_options){.level = LOG_ERROR, .fd = -1});
	*f = (struct fuzz){
		.backend = {
			.class = &fake_class, .features = OFFLOADS, .pairs = PAIRS, .mtu = 1500}};
	f->mem = fuzz_memory();
	for (int i = 0; i < PAIRS; i++)
		f->backend.fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	CHECK(loop_new(&f->loop, &e) == 0);
	CHECK(loop_wake_init(&f->end, f->loop, on_end, f->loop, &e) == 0);
	CHECK(net_new(&o, &f->backend, &f->net, &e) == 0);
	CHECK(virtio_mmio_init(&f->t, net_vdev(f->net), f->mem, &e) == 0);
}

static void tear_down(struct fuzz *f)
{
	(void)net_free(f->net);
	virtio_mmio_deinit(&f->t);
	loop_source_deinit(&f->end);
	(void)loop_free(f->loop);
}

static void turn(struct fuzz *f)
{
	struct verr e = VERR_INIT;

	loop_wake(&f->end);
	CHECK(loop_run(f->loop, &e) == 0);
}

static void set(struct fuzz *f, uint32_t offset, uint32_t value)
{
	uint8_t data[4];

	put_le32(data, value);
	virtio_mmio_write(&f->t, offset, data, sizeof(data));
}

static void init(struct fuzz *f, uint64_t features)
{
	static const uint32_t steps[] = {0, 1, 3};

	for (size_t i = 0; i < 3; i++)
		set(f, VIRTIO_MMIO_STATUS, steps[i]);
	for (uint32_t sel = 0; sel < 2; sel++) {
		set(f, VIRTIO_MMIO_DRIVER_FEATURES_SEL, sel);
		set(f, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> 32 * sel));
	}
	set(f, VIRTIO_MMIO_STATUS, 11);
	for (uint32_t q = 0; q < QUEUES; q++) {
		put(f->mem, q * AREA + FUZZ_AVAIL, &(uint32_t){0}, 4);
		put(f->mem, q * AREA + FUZZ_USED, &(uint32_t){0}, 4);
		f->avail[q] = 0;
		set(f, VIRTIO_MMIO_QUEUE_SEL, q);
		set(f, VIRTIO_MMIO_QUEUE_NUM, SIZE);
		set(f, VIRTIO_MMIO_QUEUE_DESC_LOW, (uint32_t)(q * AREA + FUZZ_DESC));
		set(f, VIRTIO_MMIO_QUEUE_AVAIL_LOW, (uint32_t)(q * AREA + FUZZ_AVAIL));
		set(f, VIRTIO_MMIO_QUEUE_USED_LOW, (uint32_t)(q * AREA + FUZZ_USED));
		set(f, VIRTIO_MMIO_QUEUE_READY, 1);
	}
	set(f, VIRTIO_MMIO_STATUS, 15);
}

static void kick(struct fuzz *f, uint32_t q)
{
	set(f, VIRTIO_MMIO_QUEUE_NOTIFY, q);
}

static void arrive(struct fuzz *f, uint32_t len)
{
	f->waiting = len;
	for (int i = 0; i < PAIRS; i++)
		(void)eventfd_write(f->backend.fds[i], 1);
}

/* A header of 12 bytes, or a command. */
static void write_header(struct fuzz *f, struct input *in)
{
	uint64_t at = HEADERS + 16ULL * (take8(in) % 16);
	uint8_t header[12];

	put_le64(header, take(in, 8));
	put_le32(header + 8, take32(in));
	put(f->mem, at, header, sizeof(header));
}

static void do_one(struct fuzz *f, struct input *in)
{
	uint8_t op = take8(in);
	uint32_t q = op / OPS % QUEUES;

	switch (op % OPS) {
	case MEMORY:
		write_memory(in, f->mem);
		break;
	case DESC:
		write_desc(in, f->mem, q * AREA + FUZZ_DESC);
		break;
	case HEADER:
		write_header(f, in);
		break;
	case OFFER:
		offer(f->mem, q * AREA + FUZZ_AVAIL, SIZE, &f->avail[q], take16(in));
		break;
	case KICK:
		kick(f, q);
		break;
	case ARRIVE:
		arrive(f, take32(in) % (NET_HEADER_LEN + NET_FRAME_MAX) + 1);
		break;
	case TURN:
		turn(f);
		break;
	case REGISTER:
		op = take8(in);
		set(f, op % 64 * 4U, take32(in));
		break;
	default:
		init(f, net_vdev(f->net)->offered & ~take(in, 8));
		break;
	}
}

/* One frame each way. */
static void check_works(struct fuzz *f)
{
	uint8_t desc[16] = {0}, used[4];
	uint32_t gpa[] = {0x6000, 0x7000};
	struct verr e = VERR_INIT;

	f->waiting = 0;
	init(f, net_vdev(f->net)->offered);
	put(f->mem, gpa[1], desc, 12);
	for (uint32_t q = 0; q < 2; q++) {
		put_le32(desc, gpa[q]);
		put_le32(desc + 8, 1024);
		put_le16(desc + 12, q == 0 ? VRING_DESC_F_WRITE : 0);
		put(f->mem, q * AREA + FUZZ_DESC, desc, sizeof(desc));
		offer(f->mem, q * AREA + FUZZ_AVAIL, SIZE, &f->avail[q], 0);
	}
	f->sent = f->received = 0;
	arrive(f, 100);
	kick(f, 0);
	kick(f, 1);
	for (int i = 0; i < 100 && (f->sent == 0 || f->received == 0); i++)
		turn(f);
	CHECK(f->sent == 1 && f->received == 1);
	for (uint32_t q = 0; q < 2; q++) {
		CHECK(mem_read(f->mem, q * AREA + FUZZ_USED, used, 4, &e) == 0);
		CHECK(le16(used + 2) == 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	struct fuzz *f = &fuzz;

	set_up(f);
	init(f, net_vdev(f->net)->offered);
	while (in.len > 0)
		do_one(f, &in);
	turn(f);
	check_works(f);
	tear_down(f);
	return 0;
}
