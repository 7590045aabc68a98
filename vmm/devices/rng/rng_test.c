/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/devices/rng/rng.h"

#include <stdlib.h>

#include "vmm/devices/devices_test.h"
#include "vmm/virtio/virtio_test.h"

struct fixture {
	struct driver d;
	struct loop *loop;
	struct loop_source timer;
	struct rng *rng;
	struct virtio_mmio t;
};

static void on_timer(void *arg)
{
	loop_stop(((struct fixture *)arg)->loop);
}

static void serve(struct fixture *f)
{
	struct verr e = VERR_INIT;

	reg_write(&f->t, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	loop_timer_arm(&f->timer, 2000);
	assert_ok(loop_run(f->loop, &e), &e);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct verr e = VERR_INIT;

	assert_non_null(f);
	f->d = driver_new(64);
	assert_ok(loop_new(&f->loop, &e), &e);
	assert_ok(loop_timer_init(&f->timer, f->loop, on_timer, f, &e), &e);
	assert_ok(rng_new(f->loop, &f->rng, &e), &e);
	assert_ok(virtio_mmio_init(&f->t, rng_vdev(f->rng), f->d.mem, &e), &e);
	driver_start(&f->d, &f->t, 1ULL << VIRTIO_F_VERSION_1);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	f->rng = rng_free(f->rng);
	virtio_mmio_deinit(&f->t);
	loop_source_deinit(&f->timer);
	f->loop = loop_free(f->loop);
	driver_free(&f->d);
	free(f);
	return 0;
}

static void test_bytes(void **state)
{
	struct fixture *f = *state;
	struct vring_desc list[] = {{.addr = DRIVER_DATA, .len = 64, .flags = VRING_DESC_F_WRITE}};
	struct vring_used_elem used;
	uint8_t zero[64] = {0}, *data = driver_at(&f->d, DRIVER_DATA, 65);

	(void)driver_add(&f->d, list, 1);
	serve(f);
	assert_true(driver_take(&f->d, &used));
	assert_int_equal(used.len, 64);
	assert_memory_not_equal(data, zero, 64);
	assert_int_equal(data[64], 0);
}

static void test_a_greedy_driver(void **state)
{
	struct fixture *f = *state;
	struct vring_desc list[] = {
		{.addr = DRIVER_DATA, .len = MIB(1), .flags = VRING_DESC_F_WRITE}};
	struct vring_used_elem used;
	unsigned asked = 0, got = 0;

	/* More than a second's worth, as fast as this host is. */
	for (int round = 0; metric_named(rng_metrics(f->rng), "throttled") == 0 && round < 5000;
	     round++) {
		if (asked == got)
			for (; asked < got + 60; asked++)
				(void)driver_add(&f->d, list, 1);
		serve(f);
		for (; driver_take(&f->d, &used); got++)
			assert_in_range(used.len, 1, 4096);
	}
	assert_true(metric_named(rng_metrics(f->rng), "throttled") > 0);
}

/* Nothing to write to: an empty answer, not a stall. */
static void test_only_readable(void **state)
{
	struct fixture *f = *state;
	struct vring_desc list[] = {{.addr = DRIVER_DATA, .len = 64}};
	struct vring_used_elem used;

	(void)driver_add(&f->d, list, 1);
	serve(f);
	assert_true(driver_take(&f->d, &used));
	assert_int_equal(used.len, 0);
}

static void test_a_broken_chain(void **state)
{
	struct fixture *f = *state;

	driver_offer(&f->d, 64);
	serve(f);
	assert_true(reg_read(&f->t, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_bytes),
		TEST(test_a_greedy_driver),
		TEST(test_only_readable),
		TEST(test_a_broken_chain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
