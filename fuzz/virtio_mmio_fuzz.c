/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drive a disk through its registers: accesses of any size anywhere, rings and descriptors in
 * memory, notifications and turns of the loop, in any order. Whatever comes, the status bits keep
 * their order, features are among those offered, a queue that runs is where the driver said when
 * it set DRIVER_OK, and in the end a reset makes a disk that answers.
 */
#include <linux/virtio_blk.h>
#include <linux/virtio_mmio.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "fuzz/virtio_fuzz.h"
#include "vmm/devices/block/block.h"
#include "vmm/virtio/mmio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { READ, WRITE, REGISTER, MEMORY, DESC, HEADER, OFFER, KICK, TURN, INIT, OPS };

#define QUEUES 2
#define DISK_LEN MIB(1)
#define HEADERS 0x8000 /* requests' headers, 16 bytes each */
#define SIZE 16

/* How long the last request may take, in turns: threads may still write for requests before it. */
#define TURNS_MAX 1000000

struct fuzz {
	struct mem *mem;
	struct loop *loop;
	struct loop_source end;
	struct workers *workers;
	struct block *block;
	struct vdev *dev;
	struct virtio_mmio t;
	int file;
	uint16_t avail[QUEUES];
	struct queue running[QUEUES]; /* as DRIVER_OK began them */
};

static void on_end(void *arg)
{
	loop_stop(arg);
}

static void set_up(struct fuzz *f)
{
	struct block_options o = {.id = "fuzz",
				  .engine = DISK_ENGINE_SYNC,
				  .queues = QUEUES,
				  .loops = &f->loop,
				  .nloops = 1};
	struct verr e = VERR_INIT;
	char path[32];

	log_setup(&(struct log_options){.level = LOG_ERROR, .fd = -1});
	f->mem = fuzz_memory();
	f->file = memfd_create("disk", MFD_CLOEXEC);
	CHECK(f->file >= 0 && ftruncate(f->file, DISK_LEN) == 0);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", f->file);
	o.path = path;
	CHECK(loop_new(&f->loop, &e) == 0 && workers_new(1, &f->workers, &e) == 0 &&
	      workers_start(f->workers, NULL, &e) == 0);
	o.workers = f->workers;
	CHECK(loop_wake_init(&f->end, f->loop, on_end, f->loop, &e) == 0);
	CHECK(block_new(&o, &f->block, &e) == 0);
	f->dev = block_vdev(f->block);
	CHECK(virtio_mmio_init(&f->t, f->dev, f->mem, &e) == 0);
}

/* What waits for the loop is taken, now or in the next turn. */
static void turn(struct fuzz *f)
{
	struct verr e = VERR_INIT;

	loop_wake(&f->end);
	CHECK(loop_run(f->loop, &e) == 0);
}

static uint32_t get(struct fuzz *f, uint32_t offset)
{
	uint8_t data[4];

	virtio_mmio_read(&f->t, offset, data, sizeof(data));
	return le32(data);
}

static void set(struct fuzz *f, uint32_t offset, uint32_t value)
{
	uint8_t data[4];

	put_le32(data, value);
	virtio_mmio_write(&f->t, offset, data, sizeof(data));
}

/* Also what is no register, and what is not within the window's registers. */
static uint32_t take_len(struct input *in)
{
	static const uint8_t lens[] = {4, 1, 2, 8, 4, 3, 4, 5};

	return lens[take8(in) % sizeof(lens)];
}

static void read_any(struct fuzz *f, struct input *in)
{
	uint32_t len = take_len(in), offset = take16(in) % VIRTIO_MMIO_LEN;
	uint8_t data[16];

	memset(data, 0xEE, sizeof(data));
	virtio_mmio_read(&f->t, offset, data, len);
	for (uint32_t i = len; i < sizeof(data); i++)
		CHECK(data[i] == 0xEE);
	for (uint32_t i = 0; i < len && offset < VIRTIO_MMIO_CONFIG && len != 4; i++)
		CHECK(data[i] == 0);
}

static void write_any(struct fuzz *f, struct input *in)
{
	uint32_t len = take_len(in), offset = take16(in) % VIRTIO_MMIO_LEN;
	uint8_t data[8];

	put_le64(data, take(in, 8));
	virtio_mmio_write(&f->t, offset, data, len);
}

/* What a driver that works does from reset to DRIVER_OK. */
static void init(struct fuzz *f, uint64_t features)
{
	set(f, VIRTIO_MMIO_STATUS, 0);
	CHECK(get(f, VIRTIO_MMIO_STATUS) == 0);
	set(f, VIRTIO_MMIO_STATUS, 1);
	set(f, VIRTIO_MMIO_STATUS, 3);
	for (uint32_t sel = 0; sel < 2; sel++) {
		set(f, VIRTIO_MMIO_DRIVER_FEATURES_SEL, sel);
		set(f, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> 32 * sel));
	}
	set(f, VIRTIO_MMIO_STATUS, 11);
	for (uint32_t q = 0; q < QUEUES; q++) {
		f->running[q].mem = NULL;
		put(f->mem, q * 0x10000 + FUZZ_AVAIL, &(uint32_t){0}, 4);
		put(f->mem, q * 0x10000 + FUZZ_USED, &(uint32_t){0}, 4);
		f->avail[q] = 0;
		set(f, VIRTIO_MMIO_QUEUE_SEL, q);
		set(f, VIRTIO_MMIO_QUEUE_NUM, SIZE);
		set(f, VIRTIO_MMIO_QUEUE_DESC_LOW, q * 0x10000 + FUZZ_DESC);
		set(f, VIRTIO_MMIO_QUEUE_AVAIL_LOW, q * 0x10000 + FUZZ_AVAIL);
		set(f, VIRTIO_MMIO_QUEUE_USED_LOW, q * 0x10000 + FUZZ_USED);
		set(f, VIRTIO_MMIO_QUEUE_READY, 1);
	}
	set(f, VIRTIO_MMIO_STATUS, 15);
}

/* A request's header: which one, type, sector. */
static void write_header(struct fuzz *f, struct input *in)
{
	uint64_t at = HEADERS + 16ULL * (take8(in) % 16);
	uint8_t header[16] = {0};

	put_le32(header, take8(in));
	put_le64(header + 8, take16(in));
	put(f->mem, at, header, sizeof(header));
}

static void do_one(struct fuzz *f, struct input *in)
{
	uint8_t op = take8(in), q = op / OPS % QUEUES;

	switch (op % OPS) {
	case READ:
		read_any(f, in);
		break;
	case WRITE:
		write_any(f, in);
		break;
	case REGISTER:
		op = take8(in);
		set(f, op % 64 * 4U, take32(in));
		break;
	case MEMORY:
		write_memory(in, f->mem);
		break;
	case DESC:
		write_desc(in, f->mem, q * 0x10000 + FUZZ_DESC);
		break;
	case HEADER:
		write_header(f, in);
		break;
	case OFFER:
		offer(f->mem, q * 0x10000 + FUZZ_AVAIL, SIZE, &f->avail[q], take16(in));
		break;
	case KICK:
		set(f, VIRTIO_MMIO_QUEUE_NOTIFY, q);
		break;
	case TURN:
		turn(f);
		break;
	default:
		init(f, f->dev->offered & ~((uint64_t)take8(in) << VIRTIO_RING_F_INDIRECT_DESC));
		break;
	}
}

/* The rings of a queue that runs are those with which it began. */
static void check_queue(struct fuzz *f, uint32_t i, uint32_t status)
{
	struct vqueue *vq = &f->dev->queues[i];
	struct queue *ring = &vq->ring, *began = &f->running[i];

	if (!vq->running) {
		if (ring->mem == NULL)
			began->mem = NULL;
		return;
	}
	CHECK(status & VIRTIO_CONFIG_S_DRIVER_OK);
	CHECK(ring->mem == f->mem);
	if (began->mem == NULL)
		*began = *ring;
	CHECK(ring->desc == began->desc && ring->avail == began->avail);
	CHECK(ring->used == began->used && ring->size == began->size);
	CHECK(ring->indirect == began->indirect && ring->event_idx == began->event_idx);
	CHECK(in_memory(f->mem, ring->desc, 16ULL * ring->size));
	CHECK(in_memory(f->mem, ring->avail, 6 + 2ULL * ring->size));
	CHECK(in_memory(f->mem, ring->used, 6 + 8ULL * ring->size));
}

static void check(struct fuzz *f)
{
	uint32_t status = get(f, VIRTIO_MMIO_STATUS);

	CHECK(!(status & VIRTIO_CONFIG_S_DRIVER_OK) || status & VIRTIO_CONFIG_S_FEATURES_OK);
	CHECK(!(status & VIRTIO_CONFIG_S_FEATURES_OK) || status & VIRTIO_CONFIG_S_DRIVER);
	CHECK(!(status & VIRTIO_CONFIG_S_DRIVER) || status & VIRTIO_CONFIG_S_ACKNOWLEDGE);
	CHECK((status & 0x30) == 0);
	CHECK((f->dev->features & ~f->dev->offered) == 0);
	CHECK((f->dev->features != 0) == ((status & VIRTIO_CONFIG_S_FEATURES_OK) != 0));
	for (uint32_t i = 0; i < QUEUES; i++)
		check_queue(f, i, status);
}

/* After a reset the disk reads a sector. */
static void check_that_it_works(struct fuzz *f)
{
	static const uint64_t places[3] = {HEADERS, HEADERS + 0x1000, HEADERS + 0x2000};
	static const uint32_t lens[3] = {16, 512, 1};
	static const uint16_t flags[3] = {VRING_DESC_F_NEXT, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE,
					  VRING_DESC_F_WRITE};
	uint8_t header[16] = {0}, *status = mem_ptr(f->mem, places[2], 1);
	const uint16_t *used = mem_ptr(f->mem, FUZZ_USED + 2, 2);
	unsigned turns = 0;

	init(f, f->dev->offered);
	check(f);
	for (uint16_t i = 0; i < 3; i++) {
		struct vring_desc d = {places[i], lens[i], flags[i], (uint16_t)(i + 1)};

		put(f->mem, FUZZ_DESC + 16ULL * i, &d, sizeof(d));
	}
	put(f->mem, HEADERS, header, sizeof(header));
	*status = 0xEE;
	offer(f->mem, FUZZ_AVAIL, SIZE, &f->avail[0], 0);
	set(f, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	while (__atomic_load_n(used, __ATOMIC_ACQUIRE) == 0 && turns++ < TURNS_MAX)
		turn(f);
	CHECK(*used == 1 && *status == VIRTIO_BLK_S_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuzz f = {.end = LOOP_SOURCE_INIT};
	struct input in = {data, size};

	if (f.block == NULL)
		set_up(&f);
	set(&f, VIRTIO_MMIO_STATUS, 0);
	check(&f);
	(void)fuzz_memory();
	while (in.len > 0) {
		do_one(&f, &in);
		check(&f);
	}
	check_that_it_works(&f);
	CHECK(lseek(f.file, 0, SEEK_END) == DISK_LEN);
	return 0;
}
