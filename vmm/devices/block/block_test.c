/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk from its registers to its file, by both engines. Where the kernel refuses io_uring only
 * the sync engine is tried, unless VOLT_TEST_URING says that it must be there.
 */
#include "vmm/devices/block/block.h"

#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "vmm/devices/block/engines.h"
#include "vmm/devices/devices_test.h"
#include "vmm/virtio/virtio_test.h"

#define DISK_SIZE MIB(1)
#define HEADER DRIVER_DATA            /* 64 of them, in turn */
#define STATUS (DRIVER_DATA + 0x1000) /* likewise */
#define DATA (DRIVER_DATA + 0x2000)

static enum disk_engine_kind engine_under_test;

struct fixture {
	struct driver d;
	struct loop *loop;
	struct loop_source timer;
	struct workers *workers;
	struct block *block;
	struct virtio_mmio t;
	char path[32];
	unsigned asked;
	uint8_t *status; /* of what was asked for last */
};

static void on_timer(void *arg)
{
	loop_stop(((struct fixture *)arg)->loop);
}

static void open_disk(struct fixture *f, struct block_options o)
{
	struct verr e = VERR_INIT;

	o.id = "disk-under-test";
	o.path = f->path;
	o.engine = engine_under_test;
	o.queues = 1;
	o.loops = &f->loop;
	o.nloops = 1;
	o.workers = f->workers;
	assert_ok(block_new(&o, &f->block, &e), &e);
	assert_ok(virtio_mmio_init(&f->t, block_vdev(f->block), f->d.mem, &e), &e);
}

static void close_disk(struct fixture *f)
{
	f->block = block_free(f->block);
	virtio_mmio_deinit(&f->t);
}

static uint64_t offered(struct fixture *f)
{
	return block_vdev(f->block)->offered & ~(1ULL << VIRTIO_RING_F_EVENT_IDX);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct verr e = VERR_INIT;
	auto_fd fd = -1;

	assert_non_null(f);
	f->d = driver_new(64);
	assert_ok(loop_new(&f->loop, &e), &e);
	assert_ok(loop_timer_init(&f->timer, f->loop, on_timer, f, &e), &e);
	assert_ok(workers_new(3, &f->workers, &e), &e);
	assert_ok(workers_start(f->workers, NULL, &e), &e);
	(void)strcpy(f->path, "/tmp/volt-block-XXXXXX");
	fd = mkostemp(f->path, O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, DISK_SIZE), 0);
	open_disk(f, (struct block_options){0});
	driver_start(&f->d, &f->t, offered(f));
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	close_disk(f);
	f->workers = workers_free(f->workers);
	loop_source_deinit(&f->timer);
	f->loop = loop_free(f->loop);
	driver_free(&f->d);
	(void)unlink(f->path);
	free(f);
	return 0;
}

/* Make a request available: `len` bytes of data at `data`, read or written by the device. */
static void ask(struct fixture *f, uint32_t type, uint64_t sector, uint64_t data, uint32_t len)
{
	bool in = type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID;
	unsigned slot = f->asked++ % 64;
	struct vring_desc list[] = {
		{.addr = HEADER + slot * 16, .len = 16},
		{.addr = data, .len = len, .flags = in ? VRING_DESC_F_WRITE : 0},
		{.addr = STATUS + slot, .len = 1, .flags = VRING_DESC_F_WRITE},
	};
	uint8_t *header = driver_at(&f->d, HEADER + slot * 16, 16);

	put_le32(header, type);
	put_le64(header + 8, sector);
	f->status = driver_at(&f->d, STATUS + slot, 1);
	*f->status = 0xEE;
	(void)driver_add(&f->d, list, 3);
}

/* Run the loop until the driver has got `count` chains back, or for a while; returns how many. */
static unsigned serve(struct fixture *f, unsigned count)
{
	struct vring_used_elem used;
	struct verr e = VERR_INIT;
	unsigned got = 0;

	reg_write(&f->t, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	for (unsigned tries = 0; got < count && tries < 5000; tries++) {
		loop_timer_arm(&f->timer, 1000);
		assert_ok(loop_run(f->loop, &e), &e);
		while (driver_take(&f->d, &used))
			got++;
	}
	return got;
}

static uint8_t request(struct fixture *f, uint32_t type, uint64_t sector, uint32_t len)
{
	ask(f, type, sector, DATA, len);
	assert_int_equal(serve(f, 1), 1);
	return *f->status;
}

static uint64_t count_of(struct fixture *f, const char *name)
{
	return metric_named(block_metrics(f->block), name);
}

static void test_data_goes_both_ways(void **state)
{
	struct fixture *f = *state;
	uint8_t *data = driver_at(&f->d, DATA, 8192), saved[8192], found[8192];
	auto_fd fd = open(f->path, O_RDONLY | O_CLOEXEC);

	for (size_t i = 0; i < 8192; i++)
		data[i] = (uint8_t)(i * 7 + i / 256);
	memcpy(saved, data, 8192);
	assert_int_equal(request(f, VIRTIO_BLK_T_OUT, 16, 8192), VIRTIO_BLK_S_OK);
	assert_int_equal(pread(fd, found, 8192, 8192), 8192);
	assert_memory_equal(found, saved, 8192);
	memset(data, 0, 8192);
	assert_int_equal(request(f, VIRTIO_BLK_T_IN, 16, 8192), VIRTIO_BLK_S_OK);
	assert_memory_equal(data, saved, 8192);
	assert_int_equal(request(f, VIRTIO_BLK_T_FLUSH, 0, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(count_of(f, "read_bytes"), 8192);
	assert_int_equal(count_of(f, "written_bytes"), 8192);
	assert_int_equal(count_of(f, "errors"), 0);
	assert_true(irq_edges(block_vdev(f->block)->irq) > 0);
}

static void test_configuration_space(void **state)
{
	struct fixture *f = *state;
	struct virtio_blk_config c = {0};

	virtio_mmio_read(&f->t, VIRTIO_MMIO_CONFIG, (uint8_t *)&c.capacity, 8);
	assert_int_equal(c.capacity, DISK_SIZE / 512);
	assert_int_equal(block_vdev(f->block)->config_len, 60);
	assert_int_equal(
		reg_read(&f->t, VIRTIO_MMIO_CONFIG + offsetof(struct virtio_blk_config, seg_max)),
		QUEUE_CHAIN_MAX - 2);
	assert_int_equal(
		reg_read(&f->t, VIRTIO_MMIO_CONFIG + offsetof(struct virtio_blk_config, blk_size)),
		512);
}

static void test_id(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(request(f, VIRTIO_BLK_T_GET_ID, 0, 20), VIRTIO_BLK_S_OK);
	assert_memory_equal(driver_at(&f->d, DATA, 20), "disk-under-test\0\0\0\0\0", 20);
}

static void test_discard_and_zeroes(void **state)
{
	struct fixture *f = *state;
	uint8_t *data = driver_at(&f->d, DATA, 65536), zero[65536] = {0};
	auto_fd fd = open(f->path, O_RDONLY | O_CLOEXEC);
	static const uint32_t types[] = {VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_WRITE_ZEROES};
	struct stat before, after;

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		memset(data, 0xA5, 65536);
		assert_int_equal(request(f, VIRTIO_BLK_T_OUT, 0, 65536), VIRTIO_BLK_S_OK);
		assert_int_equal(request(f, VIRTIO_BLK_T_FLUSH, 0, 0), VIRTIO_BLK_S_OK);
		assert_int_equal(fstat(fd, &before), 0);
		memset(data, 0, 16);
		put_le32(data + 8, 128);
		assert_int_equal(request(f, types[i], 0, 16), VIRTIO_BLK_S_OK);
		assert_int_equal(pread(fd, data, 65536, 0), 65536);
		assert_memory_equal(data, zero, 65536);
		assert_int_equal(fstat(fd, &after), 0);
		assert_int_equal(after.st_size, DISK_SIZE);
		if (types[i] == VIRTIO_BLK_T_DISCARD)
			assert_true(after.st_blocks < before.st_blocks);
	}
}

static void test_refused_requests_are_answered(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(request(f, VIRTIO_BLK_T_IN, DISK_SIZE / 512, 512), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(f, VIRTIO_BLK_T_OUT, UINT64_MAX, 512), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(f, VIRTIO_BLK_T_IN, 0, 100), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(f, 77, 0, 512), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(count_of(f, "errors"), 4);
	assert_int_equal(request(f, VIRTIO_BLK_T_IN, 0, 512), VIRTIO_BLK_S_OK);
}

/* A file that became shorter gives an error, never old memory. */
static void test_truncated_file(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(truncate(f->path, 4096), 0);
	assert_int_equal(request(f, VIRTIO_BLK_T_IN, 0, 4096), VIRTIO_BLK_S_OK);
	assert_int_equal(request(f, VIRTIO_BLK_T_IN, 8, 4096), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(f, VIRTIO_BLK_T_IN, 0, 8192), VIRTIO_BLK_S_IOERR);
}

static void test_no_room_for_an_answer(void **state)
{
	struct fixture *f = *state;
	struct vring_desc list[] = {{.addr = HEADER, .len = 16}};

	(void)driver_add(&f->d, list, 1);
	(void)serve(f, 0);
	reg_write(&f->t, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	for (int i = 0; i < 100 && counter_get(&block_vdev(f->block)->counters.broken) == 0; i++) {
		struct verr e = VERR_INIT;

		loop_timer_arm(&f->timer, 1000);
		assert_ok(loop_run(f->loop, &e), &e);
	}
	assert_true(reg_read(&f->t, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
	driver_start(&f->d, &f->t, offered(f));
	assert_int_equal(request(f, VIRTIO_BLK_T_IN, 0, 512), VIRTIO_BLK_S_OK);
}

/* The same head offered more often than there are requests: all come back, none is lost. */
static void test_one_head_many_times(void **state)
{
	struct fixture *f = *state;

	ask(f, VIRTIO_BLK_T_IN, 0, DATA, 512);
	for (unsigned round = 0; round < 10; round++) {
		for (unsigned i = round == 0; i < 64; i++)
			driver_offer(&f->d, 0);
		assert_int_equal(serve(f, 64), 64);
	}
}

static void test_many_at_once(void **state)
{
	struct fixture *f = *state;

	for (unsigned round = 0; round < 50; round++) {
		for (uint32_t i = 0; i < 21; i++)
			ask(f, i % 3 == 0 ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN, i * 8, DATA, 4096);
		assert_int_equal(serve(f, 21), 21);
	}
	assert_int_equal(count_of(f, "errors"), 0);
	assert_int_equal(count_of(f, "reads") + count_of(f, "writes"), 50 * 21);
}

/*
 * Reset with operations in flight: when the write to Status returns, nothing changes guest memory
 * any more (an engine that completed later would have put the old bytes back).
 */
static void test_reset_in_flight(void **state)
{
	struct fixture *f = *state;
	uint8_t *data = driver_at(&f->d, DATA, 21 * 4096);
	struct verr e = VERR_INIT;

	memset(data, 0x11, 21 * 4096);
	for (unsigned round = 0; round < 1000; round++) {
		for (uint32_t i = 0; i < 21; i++)
			ask(f, i % 2 ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN, i * 8, DATA + i * 4096,
			    4096);
		reg_write(&f->t, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
		loop_timer_arm(&f->timer, 1);
		assert_ok(loop_run(f->loop, &e), &e);
		reg_write(&f->t, VIRTIO_MMIO_STATUS, 0);
		memset(data, 0x22, 21 * 4096);
		loop_timer_arm(&f->timer, 100);
		assert_ok(loop_run(f->loop, &e), &e);
		for (size_t i = 0; i < 21 * 4096; i += 512)
			assert_int_equal(data[i], 0x22);
		driver_start(&f->d, &f->t, offered(f));
	}
	assert_int_equal(request(f, VIRTIO_BLK_T_IN, 0, 512), VIRTIO_BLK_S_OK);
}

static void test_close_in_flight(void **state)
{
	struct fixture *f = *state;

	for (unsigned round = 0; round < 100; round++) {
		for (uint32_t i = 0; i < 21; i++)
			ask(f, VIRTIO_BLK_T_OUT, i * 8, DATA, 4096);
		(void)serve(f, round % 4);
		close_disk(f);
		open_disk(f, (struct block_options){0});
		driver_start(&f->d, &f->t, offered(f));
	}
}

static void test_a_driver_that_cannot_flush(void **state)
{
	struct fixture *f = *state;

	driver_start(&f->d, &f->t, offered(f) & ~(1ULL << VIRTIO_BLK_F_FLUSH));
	assert_int_equal(request(f, VIRTIO_BLK_T_OUT, 0, 4096), VIRTIO_BLK_S_OK);
	assert_int_equal(request(f, VIRTIO_BLK_T_FLUSH, 0, 0), VIRTIO_BLK_S_OK);
	/* A discard is done when a flush behind it is. */
	memset(driver_at(&f->d, DATA, 16), 0, 16);
	put_le32(driver_at(&f->d, DATA + 8, 4), 8);
	assert_int_equal(request(f, VIRTIO_BLK_T_DISCARD, 0, 16), VIRTIO_BLK_S_OK);
	assert_int_equal(count_of(f, "discards"), 1);
	assert_int_equal(count_of(f, "flushes"), 1);
}

static void test_readonly(void **state)
{
	struct fixture *f = *state;
	uint8_t byte = 0;
	auto_fd fd = open(f->path, O_RDONLY | O_CLOEXEC);

	close_disk(f);
	open_disk(f, (struct block_options){.readonly = true});
	assert_true(offered(f) >> VIRTIO_BLK_F_RO & 1);
	assert_false(offered(f) >> VIRTIO_BLK_F_DISCARD & 1);
	driver_start(&f->d, &f->t, offered(f));
	memset(driver_at(&f->d, DATA, 4096), 0xFF, 4096);
	assert_int_equal(request(f, VIRTIO_BLK_T_OUT, 0, 4096), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(f, VIRTIO_BLK_T_DISCARD, 0, 16), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(pread(fd, &byte, 1, 0), 1);
	assert_int_equal(byte, 0);
	assert_int_equal(request(f, VIRTIO_BLK_T_IN, 0, 4096), VIRTIO_BLK_S_OK);
	assert_int_equal(request(f, VIRTIO_BLK_T_FLUSH, 0, 0), VIRTIO_BLK_S_OK);
}

static void test_rate_limit(void **state)
{
	struct fixture *f = *state;

	close_disk(f);
	/* So slow that no host takes the second before its time. */
	open_disk(f, (struct block_options){.ops = {.rate = 1, .burst = 1}});
	driver_start(&f->d, &f->t, offered(f));
	for (uint32_t i = 0; i < 2; i++)
		ask(f, VIRTIO_BLK_T_IN, 0, DATA, 512);
	assert_int_equal(serve(f, 2), 2);
	assert_true(count_of(f, "throttled") >= 1);
	/* A reset does not wait for the rate. */
	for (uint32_t i = 0; i < 12; i++)
		ask(f, VIRTIO_BLK_T_IN, 0, DATA, 512);
	reg_write(&f->t, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	reg_write(&f->t, VIRTIO_MMIO_STATUS, 0);
	assert_int_equal(reg_read(&f->t, VIRTIO_MMIO_STATUS), 0);
}

static void refuse(struct fixture *f, const char *path, bool readonly, const char *why)
{
	const struct block_options o = {.id = "x",
					.path = path,
					.readonly = readonly,
					.engine = engine_under_test,
					.queues = 1,
					.loops = &f->loop,
					.nloops = 1,
					.workers = f->workers};
	struct verr e = VERR_INIT;
	struct block *b = NULL;

	assert_fault(block_new(&o, &b, &e), &e, VERR_INVALID, why);
	assert_null(b);
}

static void test_one_machine_at_a_time(void **state)
{
	struct fixture *f = *state;
	struct block_options o = {0};
	char owner[40];

	(void)snprintf(owner, sizeof(owner), "in use by process %d (", (int)getpid());
	refuse(f, f->path, false, owner);
	refuse(f, f->path, true, owner);
	close_disk(f);
	o.readonly = true;
	open_disk(f, o);
	refuse(f, f->path, false, "in use");
}

static void test_what_is_no_disk(void **state)
{
	struct fixture *f = *state;
	char fifo[48];

	refuse(f, "/nowhere/disk", false, "cannot open /nowhere/disk: No such file or directory");
	refuse(f, "/tmp", true, "expected a regular file or a block device");
	refuse(f, "/dev/null", false, "expected a regular file or a block device");
	(void)snprintf(fifo, sizeof(fifo), "%s-fifo", f->path);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	refuse(f, fifo, true, "expected a regular file or a block device");
	assert_int_equal(unlink(fifo), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static int run_all(const char *name)
{
	const struct CMUnitTest tests[] = {
		TEST(test_data_goes_both_ways),
		TEST(test_configuration_space),
		TEST(test_id),
		TEST(test_discard_and_zeroes),
		TEST(test_refused_requests_are_answered),
		TEST(test_truncated_file),
		TEST(test_no_room_for_an_answer),
		TEST(test_one_head_many_times),
		TEST(test_many_at_once),
		TEST(test_reset_in_flight),
		TEST(test_close_in_flight),
		TEST(test_a_driver_that_cannot_flush),
		TEST(test_readonly),
		TEST(test_rate_limit),
		TEST(test_one_machine_at_a_time),
		TEST(test_what_is_no_disk),
	};

	return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

static bool has_uring(void)
{
	struct disk_file file = {.fd = 0};
	struct disk_engine *engine = NULL;
	struct verr e = VERR_INIT;

	if (uring_engine_new(&file, 8, NULL, NULL, &engine, &e) < 0)
		return getenv("VOLT_TEST_URING") != NULL;
	(void)disk_engine_free(engine);
	return true;
}

int main(void)
{
	int failed;

	engine_under_test = DISK_ENGINE_SYNC;
	failed = run_all("sync");
	engine_under_test = DISK_ENGINE_IO_URING;
	return has_uring() ? failed + run_all("io_uring") : failed;
}
