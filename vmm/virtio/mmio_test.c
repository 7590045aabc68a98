/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/virtio/mmio.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>

#include "base/own.h"
#include "vmm/virtio/virtio_test.h"

#define FEATURES (VDEV_FEATURES | 1ULL << 5)
#define CONFIG_LEN 12
#define QUEUES 2

/* A device that only counts what is asked of it. */
struct probe {
	struct vdev dev;
	uint8_t config[CONFIG_LEN];
	unsigned activated, notified, drained, written;
	uint32_t written_at;
	bool slow; /* to drain: until may_end is posted, or for PATIENCE_S */
	sem_t draining, may_end;
	bool ended_in_time;
};

#define PATIENCE_S 10

static void on_activate(struct vdev *dev)
{
	((struct probe *)dev)->activated++;
}

static void on_notify(struct vqueue *vq)
{
	struct chain c;

	((struct probe *)vq->dev)->notified++;
	for (;;) {
		switch (queue_next(&vq->ring, &c)) {
		case CHAIN_OK:
			queue_put(&vq->ring, c.head, 0);
			vqueue_interrupt(vq);
			continue;
		case CHAIN_EMPTY:
			return;
		case CHAIN_BAD:
			vqueue_broken(vq, "a test");
			return;
		}
	}
}

static void on_drain(struct vqueue *vq)
{
	struct probe *p = (struct probe *)vq->dev;
	struct timespec end;

	assert_false(vq->running);
	p->drained++;
	if (!p->slow)
		return;
	(void)clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += PATIENCE_S;
	(void)sem_post(&p->draining);
	p->ended_in_time = sem_timedwait(&p->may_end, &end) == 0;
}

static void on_config_write(struct vdev *dev, uint32_t offset, const void *data, uint32_t len)
{
	struct probe *p = (struct probe *)dev;

	assert_true(range_within(offset, len, CONFIG_LEN));
	memcpy(p->config + offset, data, len);
	p->written++;
	p->written_at = offset;
}

static const struct vdev_class probe_class = {
	.name = "probe",
	.virtio_id = 42,
	.activate = on_activate,
	.notify = on_notify,
	.drain = on_drain,
	.config_write = on_config_write,
};

struct fixture {
	struct driver d;
	struct probe p;
	struct virtio_mmio t;
	struct loop *loop;
	struct loop_source timer;
};

static void on_timer(void *arg)
{
	loop_stop(((struct fixture *)arg)->loop);
}

/* Let the loop take what has been notified. */
static void serve(struct fixture *f)
{
	struct verr e = VERR_INIT;

	loop_timer_arm(&f->timer, 1000);
	assert_ok(loop_run(f->loop, &e), &e);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct verr e = VERR_INIT;

	assert_non_null(f);
	f->d = driver_new(8);
	assert_ok(loop_new(&f->loop, &e), &e);
	assert_ok(loop_timer_init(&f->timer, f->loop, on_timer, f, &e), &e);
	for (uint8_t i = 0; i < CONFIG_LEN; i++)
		f->p.config[i] = (uint8_t)(0xA0 + i);
	f->p.dev = (struct vdev){.class = &probe_class,
				 .offered = FEATURES,
				 .config = f->p.config,
				 .config_len = CONFIG_LEN};
	assert_ok(vdev_init(&f->p.dev, QUEUES, &f->loop, 1, &e), &e);
	assert_ok(virtio_mmio_init(&f->t, &f->p.dev, f->d.mem, &e), &e);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	virtio_mmio_deinit(&f->t);
	vdev_deinit(&f->p.dev);
	loop_source_deinit(&f->timer);
	f->loop = loop_free(f->loop);
	driver_free(&f->d);
	free(f);
	return 0;
}

static uint64_t interrupts(struct fixture *f)
{
	uint64_t n = 0;

	return read(f->p.dev.irq, &n, sizeof(n)) == (ssize_t)sizeof(n) ? n : 0;
}

static uint64_t refused(struct fixture *f)
{
	return counter_get(&f->p.dev.counters.bad_accesses);
}

static void test_what_a_driver_finds(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(reg_read(&f->t, VIRTIO_MMIO_MAGIC_VALUE), 0x74726976);
	assert_int_equal(reg_read(&f->t, VIRTIO_MMIO_VERSION), 2);
	assert_int_equal(reg_read(&f->t, VIRTIO_MMIO_DEVICE_ID), 42);
	assert_int_equal(reg_read(&f->t, VIRTIO_MMIO_VENDOR_ID), VIRTIO_MMIO_VENDOR);
	assert_int_equal(reg_read(&f->t, VIRTIO_MMIO_DEVICE_FEATURES), (uint32_t)FEATURES);
	reg_write(&f->t, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	assert_int_equal(reg_read(&f->t, VIRTIO_MMIO_DEVICE_FEATURES), FEATURES >> 32);
	reg_write(&f->t, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 2);
	assert_int_equal(reg_read(&f->t, VIRTIO_MMIO_DEVICE_FEATURES), 0);
	assert_int_equal(reg_read(&f->t, VIRTIO_MMIO_QUEUE_NUM_MAX), QUEUE_SIZE_MAX);
	reg_write(&f->t, VIRTIO_MMIO_QUEUE_SEL, QUEUES);
	assert_int_equal(reg_read(&f->t, VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
	assert_int_equal(reg_read(&f->t, VIRTIO_MMIO_SHM_LEN_LOW), UINT32_MAX);
	assert_int_equal(reg_read(&f->t, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
	assert_int_equal(refused(f), 0);
}

static void test_from_reset_to_work(void **state)
{
	struct fixture *f = *state;
	struct vring_desc list[] = {{.addr = DRIVER_DATA, .len = 8}};
	struct vring_used_elem used;

	driver_start(&f->d, &f->t, FEATURES & ~(1ULL << VIRTIO_RING_F_EVENT_IDX));
	assert_int_equal(f->p.activated, 1);
	assert_true(vdev_has(&f->p.dev, 5));
	assert_int_equal(reg_read(&f->t, VIRTIO_MMIO_QUEUE_READY), 1);
	(void)driver_add(&f->d, list, 1);
	reg_write(&f->t, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	serve(f);
	assert_true(f->p.notified > 0);
	assert_true(driver_take(&f->d, &used));
	assert_int_equal(interrupts(f), 1);
	assert_int_equal(reg_read(&f->t, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_VRING);
	reg_write(&f->t, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_VRING);
	assert_int_equal(refused(f), 0);

	reg_write(&f->t, VIRTIO_MMIO_STATUS, 0);
	assert_int_equal(f->p.drained, 1); /* the one queue that ran */
	assert_int_equal(reg_read(&f->t, VIRTIO_MMIO_STATUS), 0);
	assert_int_equal(reg_read(&f->t, VIRTIO_MMIO_QUEUE_READY), 0);
	f->p.notified = 0;
	reg_write(&f->t, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	serve(f);
	assert_int_equal(f->p.notified, 0);
}

static void test_chains_from_before_driver_ok_are_taken(void **state)
{
	struct fixture *f = *state;
	struct queue_setup s = driver_setup(&f->d);
	struct vring_desc list[] = {{.addr = DRIVER_DATA, .len = 8}};
	struct vring_used_elem used;

	driver_negotiate(&f->t, FEATURES);
	driver_set_up_queue(&f->t, 0, &s);
	(void)driver_add(&f->d, list, 1);
	reg_write(&f->t, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	serve(f);
	assert_false(driver_take(&f->d, &used));
	driver_set_status(&f->t, VIRTIO_CONFIG_S_DRIVER_OK);
	serve(f);
	assert_true(driver_take(&f->d, &used));
}

static void test_status_order(void **state)
{
	static const uint8_t bad[] = {
		VIRTIO_CONFIG_S_DRIVER,
		VIRTIO_CONFIG_S_FEATURES_OK,
		VIRTIO_CONFIG_S_DRIVER_OK,
		VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER_OK,
		VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_FEATURES_OK,
		0x10,
		0x20,
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(bad); i++) {
		reg_write(&f->t, VIRTIO_MMIO_STATUS, 0);
		reg_write(&f->t, VIRTIO_MMIO_STATUS, bad[i]);
		assert_int_equal(refused(f), i + 1);
		assert_int_equal(f->p.activated, 0);
		assert_int_equal(reg_read(&f->t, VIRTIO_MMIO_STATUS) & ~bad[i], 0);
		assert_false(reg_read(&f->t, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_DRIVER_OK);
	}
	/* Bits are never taken back but by a reset. */
	driver_start(&f->d, &f->t, FEATURES);
	reg_write(&f->t, VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	assert_int_equal(reg_read(&f->t, VIRTIO_MMIO_STATUS), 0xF);
	reg_write(&f->t, VIRTIO_MMIO_STATUS, 0xF | VIRTIO_CONFIG_S_FAILED);
	assert_int_equal(reg_read(&f->t, VIRTIO_MMIO_STATUS), 0x8F);
}

static void test_features(void **state)
{
	struct fixture *f = *state;
	const uint64_t bad[] = {0, FEATURES | 1ULL << 6, FEATURES | 1ULL << 63,
				FEATURES & ~(1ULL << VIRTIO_F_VERSION_1)};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		driver_negotiate(&f->t, bad[i]);
		assert_int_equal(reg_read(&f->t, VIRTIO_MMIO_STATUS), 3);
	}
	driver_negotiate(&f->t, FEATURES);
	assert_int_equal(reg_read(&f->t, VIRTIO_MMIO_STATUS), 0xB);
	/* Frozen now. */
	reg_write(&f->t, VIRTIO_MMIO_DRIVER_FEATURES, 0);
	driver_set_status(&f->t, VIRTIO_CONFIG_S_DRIVER_OK);
	assert_int_equal(f->p.dev.features, FEATURES);
}

/* A queue moved or resized after DRIVER_OK would be used outside of what was checked. */
static void test_queues_are_latched(void **state)
{
	struct fixture *f = *state;
	struct queue_setup s = driver_setup(&f->d), other = s;
	uint64_t before;
	struct queue ring;

	driver_start(&f->d, &f->t, FEATURES);
	ring = f->p.dev.queues[0].ring;
	before = refused(f);
	other.desc = other.avail = other.used = UINT64_MAX & ~15ULL;
	other.size = 256;
	driver_set_up_queue(&f->t, 0, &other);
	assert_int_equal(refused(f), before + 8);
	assert_memory_equal(&f->p.dev.queues[0].ring, &ring, sizeof(ring));
	/* Nor may another queue join. */
	driver_set_up_queue(&f->t, 1, &s);
	assert_int_equal(reg_read(&f->t, VIRTIO_MMIO_QUEUE_READY), 0);
	/* Before DRIVER_OK a queue that is ready is as fixed. */
	driver_negotiate(&f->t, FEATURES);
	driver_set_up_queue(&f->t, 0, &s);
	before = refused(f);
	reg_write(&f->t, VIRTIO_MMIO_QUEUE_NUM, 4);
	assert_int_equal(refused(f), before + 1);
	reg_write(&f->t, VIRTIO_MMIO_QUEUE_READY, 0);
	reg_write(&f->t, VIRTIO_MMIO_QUEUE_NUM, 4);
	assert_int_equal(refused(f), before + 1);
}

static void test_a_queue_ends_alone(void **state)
{
	struct fixture *f = *state;

	driver_start(&f->d, &f->t, FEATURES);
	serve(f);
	f->p.notified = 0;
	reg_write(&f->t, VIRTIO_MMIO_QUEUE_READY, 0);
	assert_int_equal(f->p.drained, 1);
	assert_int_equal(reg_read(&f->t, VIRTIO_MMIO_QUEUE_READY), 0);
	reg_write(&f->t, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	serve(f);
	assert_int_equal(f->p.notified, 0);
	reg_write(&f->t, VIRTIO_MMIO_QUEUE_READY, 1); /* not before a reset */
	assert_int_equal(reg_read(&f->t, VIRTIO_MMIO_QUEUE_READY), 0);
}

static void test_impossible_queues(void **state)
{
	struct fixture *f = *state;
	struct queue_setup s = driver_setup(&f->d);

	driver_negotiate(&f->t, FEATURES);
	for (uint32_t size = 0; size < 70000; size = size * 2 + 1) {
		reg_write(&f->t, VIRTIO_MMIO_QUEUE_NUM, size == 1 ? 3 : size);
		reg_write(&f->t, VIRTIO_MMIO_QUEUE_READY, 1);
		assert_int_equal(reg_read(&f->t, VIRTIO_MMIO_QUEUE_READY), 0);
	}
	s.used = DRIVER_MEMORY - 4;
	driver_set_up_queue(&f->t, 0, &s);
	driver_set_status(&f->t, VIRTIO_CONFIG_S_DRIVER_OK);
	assert_true(reg_read(&f->t, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
	serve(f);
	assert_int_equal(f->p.notified, 0);
}

static void test_a_broken_rule_needs_a_reset(void **state)
{
	struct fixture *f = *state;
	struct vring_desc list[] = {{.addr = UINT64_MAX, .len = 8}};

	driver_start(&f->d, &f->t, FEATURES);
	(void)driver_add(&f->d, list, 1);
	reg_write(&f->t, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	serve(f);
	assert_true(reg_read(&f->t, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
	assert_true(reg_read(&f->t, VIRTIO_MMIO_INTERRUPT_STATUS) & VIRTIO_MMIO_INT_CONFIG);
	assert_int_equal(interrupts(f), 1);
	assert_int_equal(counter_get(&f->p.dev.counters.broken), 1);
	f->p.notified = 0;
	reg_write(&f->t, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	serve(f);
	assert_int_equal(f->p.notified, 0);
	/* The driver starts over, and it works again. */
	driver_start(&f->d, &f->t, FEATURES);
	assert_int_equal(reg_read(&f->t, VIRTIO_MMIO_STATUS), 0xF);
	serve(f);
	assert_true(f->p.notified > 0);
}

static void *reset(void *t)
{
	reg_write(t, VIRTIO_MMIO_STATUS, 0);
	return NULL;
}

/* A reset waits for the disk on its own thread; the loop, which has other work, goes on. */
static void test_the_loop_does_not_wait_for_a_reset(void **state)
{
	struct fixture *f = *state;
	pthread_t thread;

	driver_start(&f->d, &f->t, FEATURES);
	serve(f);
	f->p.slow = true;
	(void)sem_init(&f->p.draining, 0, 0);
	(void)sem_init(&f->p.may_end, 0, 0);
	assert_int_equal(pthread_create(&thread, NULL, reset, &f->t), 0);
	assert_int_equal(sem_wait(&f->p.draining), 0);
	vqueue_kick(&f->p.dev.queues[0]);
	serve(f);
	(void)sem_post(&f->p.may_end);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(f->p.ended_in_time);
	f->p.slow = false;
	(void)sem_destroy(&f->p.draining);
	(void)sem_destroy(&f->p.may_end);
}

static void test_configuration_space(void **state)
{
	struct fixture *f = *state;
	uint8_t data[8];
	uint32_t generation;

	for (uint32_t len = 1; len <= 8; len *= 2)
		for (uint32_t at = 0; at + len <= CONFIG_LEN; at++) {
			virtio_mmio_read(&f->t, VIRTIO_MMIO_CONFIG + at, data, len);
			assert_memory_equal(data, f->p.config + at, len);
		}
	assert_int_equal(refused(f), 0);
	virtio_mmio_write(&f->t, VIRTIO_MMIO_CONFIG + 2, data, 2); /* no driver yet */
	assert_int_equal(f->p.written, 0);
	driver_start(&f->d, &f->t, FEATURES);
	virtio_mmio_write(&f->t, VIRTIO_MMIO_CONFIG + 2, data, 2);
	assert_int_equal(f->p.written, 1);
	assert_int_equal(f->p.written_at, 2);

	generation = reg_read(&f->t, VIRTIO_MMIO_CONFIG_GENERATION);
	(void)interrupts(f);
	(void)pthread_mutex_lock(&f->p.dev.lock);
	vdev_config_changed(&f->p.dev);
	(void)pthread_mutex_unlock(&f->p.dev.lock);
	assert_int_equal(reg_read(&f->t, VIRTIO_MMIO_CONFIG_GENERATION), generation + 1);
	assert_int_equal(interrupts(f), 1);
	assert_int_equal(reg_read(&f->t, VIRTIO_MMIO_INTERRUPT_STATUS), 3);
	reg_write(&f->t, VIRTIO_MMIO_INTERRUPT_ACK, 3);
	assert_int_equal(reg_read(&f->t, VIRTIO_MMIO_INTERRUPT_STATUS), 1);
}

/* KVM keeps acknowledgements for later: one that comes after a second change clears only the first.
 */
static void test_a_late_acknowledgement(void **state)
{
	struct fixture *f = *state;

	driver_start(&f->d, &f->t, FEATURES);
	for (int round = 0; round < 2; round++) {
		(void)pthread_mutex_lock(&f->p.dev.lock);
		vdev_config_changed(&f->p.dev);
		(void)pthread_mutex_unlock(&f->p.dev.lock);
		reg_write(&f->t, VIRTIO_MMIO_INTERRUPT_ACK, 3); /* of what was read before */
		assert_int_equal(reg_read(&f->t, VIRTIO_MMIO_INTERRUPT_STATUS), 3);
		assert_int_equal(reg_read(&f->t, VIRTIO_MMIO_INTERRUPT_STATUS), 3);
	}
	reg_write(&f->t, VIRTIO_MMIO_INTERRUPT_ACK, 1);
	assert_int_equal(reg_read(&f->t, VIRTIO_MMIO_INTERRUPT_STATUS), 3);
	reg_write(&f->t, VIRTIO_MMIO_INTERRUPT_ACK, 2);
	assert_int_equal(reg_read(&f->t, VIRTIO_MMIO_INTERRUPT_STATUS), 1);
}

/* Every size at and past every register: nothing but what the device has is read or written. */
static void test_every_access(void **state)
{
	struct fixture *f = *state;
	uint8_t data[8], before[CONFIG_LEN];

	driver_start(&f->d, &f->t, FEATURES);
	memcpy(before, f->p.config, CONFIG_LEN);
	for (uint32_t at = 0; at < VIRTIO_MMIO_LEN; at++)
		for (uint32_t len = 1; len <= 8; len++) {
			memset(data, 0xEE, sizeof(data));
			virtio_mmio_read(&f->t, at, data, len);
			for (uint32_t i = len; i < 8; i++)
				assert_int_equal(data[i], 0xEE);
			if (at < VIRTIO_MMIO_CONFIG && len != 4)
				for (uint32_t i = 0; i < len; i++)
					assert_int_equal(data[i], 0);
			memset(data, 0xFF, sizeof(data));
			virtio_mmio_write(&f->t, at, data, len);
		}
	for (uint32_t at = VIRTIO_MMIO_CONFIG - 8; at < VIRTIO_MMIO_LEN; at++)
		virtio_mmio_read(&f->t, at, data, 4);
	/* Only whole accesses inside the configuration space came through to the device. */
	assert_int_equal(f->p.written, 12 + 11 + 9 + 5);
	assert_true(refused(f) > 4000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_a_driver_finds),
		TEST(test_from_reset_to_work),
		TEST(test_chains_from_before_driver_ok_are_taken),
		TEST(test_status_order),
		TEST(test_features),
		TEST(test_queues_are_latched),
		TEST(test_a_queue_ends_alone),
		TEST(test_impossible_queues),
		TEST(test_a_broken_rule_needs_a_reset),
		TEST(test_the_loop_does_not_wait_for_a_reset),
		TEST(test_configuration_space),
		TEST(test_a_late_acknowledgement),
		TEST(test_every_access),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
