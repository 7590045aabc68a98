/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <unistd.h>

#include "vmm/virtio/virtio_test.h"

#define FEATURES VDEV_FEATURES
#define QUEUES 2

/* Holds back `held` chains that it has taken, and answers all others at once. */
struct probe {
	struct vdev dev;
	uint32_t config;
	uint16_t held;
	unsigned activated, started, answered, paused;
};

static void on_activate(struct vdev *dev)
{
	((struct probe *)dev)->activated++;
}

static void on_start(struct vqueue *vq)
{
	((struct probe *)vq->dev)->started++;
}

static void on_notify(struct vqueue *vq)
{
	struct probe *p = (struct probe *)vq->dev;
	struct chain c;

	while (queue_next(&vq->ring, &c) == CHAIN_OK) {
		queue_put(&vq->ring, c.head, 0);
		p->answered++;
	}
}

static void on_pause(struct vqueue *vq)
{
	((struct probe *)vq->dev)->paused++;
}

static uint16_t on_holds(const struct vqueue *vq)
{
	return vq->index == 0 ? ((struct probe *)vq->dev)->held : 0;
}

static const struct vdev_class probe_class = {
	.name = "probe",
	.virtio_id = 42,
	.activate = on_activate,
	.start = on_start,
	.notify = on_notify,
	.pause = on_pause,
	.holds = on_holds,
};

struct fixture {
	struct driver d;
	struct loop *loop;
	struct loop_source timer;
	struct probe a, b; /* the one that is saved, and the one that goes on */
	struct virtio_mmio ta, tb;
	struct virtio_state saved;
};

static void on_timer(void *arg)
{
	loop_stop(arg);
}

static void serve(struct fixture *f)
{
	struct verr e = VERR_INIT;

	loop_timer_arm(&f->timer, 1000);
	assert_ok(loop_run(f->loop, &e), &e);
}

static void make(struct fixture *f, struct probe *p, struct virtio_mmio *t)
{
	struct verr e = VERR_INIT;

	p->config = 0x12345678;
	p->dev = (struct vdev){.class = &probe_class,
			       .offered = FEATURES,
			       .config = (uint8_t *)&p->config,
			       .config_len = sizeof(p->config)};
	assert_ok(vdev_init(&p->dev, QUEUES, &f->loop, 1, &e), &e);
	assert_ok(virtio_mmio_init(t, &p->dev, f->d.mem, &e), &e);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct verr e = VERR_INIT;

	assert_non_null(f);
	f->d = driver_new(8);
	assert_ok(loop_new(&f->loop, &e), &e);
	assert_ok(loop_timer_init(&f->timer, f->loop, on_timer, f->loop, &e), &e);
	make(f, &f->a, &f->ta);
	make(f, &f->b, &f->tb);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	virtio_mmio_deinit(&f->ta);
	virtio_mmio_deinit(&f->tb);
	vdev_deinit(&f->a.dev);
	vdev_deinit(&f->b.dev);
	loop_source_deinit(&f->timer);
	f->loop = loop_free(f->loop);
	driver_free(&f->d);
	free(f);
	return 0;
}

static void offer(struct fixture *f)
{
	const struct vring_desc list[] = {{.addr = DRIVER_DATA, .len = 8}};

	(void)driver_add(&f->d, list, 1);
}

static uint64_t interrupts(struct probe *p)
{
	uint64_t n = 0;

	return read(p->dev.irq, &n, sizeof(n)) == (ssize_t)sizeof(n) ? n : 0;
}

/* The driver has set the device up and had three answers; then it is paused and saved. */
static void run_and_save(struct fixture *f)
{
	driver_start(&f->d, &f->ta, FEATURES);
	for (int i = 0; i < 3; i++)
		offer(f);
	vqueue_kick(&f->a.dev.queues[0]);
	serve(f);
	assert_int_equal(f->a.answered, 3);
	vdev_pause(&f->a.dev);
	virtio_mmio_capture(&f->ta, &f->saved);
}

static int apply(struct fixture *f, struct verr *e)
{
	return virtio_mmio_apply(&f->tb, &f->saved, e);
}

static void test_it_goes_on_where_it_was(void **state)
{
	struct fixture *f = *state;
	struct vring_used_elem used;
	struct verr e = VERR_INIT;

	run_and_save(f);
	assert_true(f->saved.queues[0].runs);
	assert_int_equal(f->saved.queues[0].next_avail, 3);
	assert_false(f->saved.queues[1].ready);
	offer(f); /* made available while nobody looked */
	assert_ok(apply(f, &e), &e);
	assert_int_equal(f->b.activated, 1);
	assert_true(interrupts(&f->b) > 0); /* one may have been lost */
	vqueue_kick(&f->b.dev.queues[0]);
	serve(f);
	assert_int_equal(f->b.answered, 0); /* paused */
	vdev_resume(&f->b.dev);
	assert_int_equal(f->b.started, 1);
	serve(f);
	assert_int_equal(f->b.answered, 1);
	for (int i = 0; i < 4; i++)
		assert_true(driver_take(&f->d, &used));
	assert_int_equal(reg_read(&f->tb, VIRTIO_MMIO_STATUS),
			 reg_read(&f->ta, VIRTIO_MMIO_STATUS));
	assert_int_equal(reg_read(&f->tb, VIRTIO_MMIO_QUEUE_READY), 1);
	/* And the device can be reset, and set up again. */
	driver_start(&f->d, &f->tb, FEATURES);
	offer(f);
	vqueue_kick(&f->b.dev.queues[0]);
	serve(f);
	assert_int_equal(f->b.answered, 2);
}

static void test_what_it_holds_is_given_back(void **state)
{
	struct fixture *f = *state;

	f->a.held = 2;
	run_and_save(f);
	assert_int_equal(f->saved.queues[0].next_avail, 1);
	assert_int_equal(f->saved.queues[0].next_used, 3);
}

/* Halfway through its set-up, with selectors that choose something. */
static void test_before_driver_ok(void **state)
{
	struct fixture *f = *state;
	struct queue_setup s = driver_setup(&f->d);
	struct verr e = VERR_INIT;

	driver_negotiate(&f->ta, FEATURES);
	driver_set_up_queue(&f->ta, 1, &s);
	reg_write(&f->ta, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	vdev_pause(&f->a.dev);
	virtio_mmio_capture(&f->ta, &f->saved);
	assert_ok(apply(f, &e), &e);
	assert_int_equal(f->b.activated, 0);
	assert_int_equal(interrupts(&f->b), 0);
	vdev_resume(&f->b.dev);
	assert_int_equal(f->b.started, 0);
	assert_int_equal(reg_read(&f->tb, VIRTIO_MMIO_QUEUE_READY), 1); /* of queue 1 */
	assert_int_equal(reg_read(&f->tb, VIRTIO_MMIO_DEVICE_FEATURES), FEATURES >> 32);
	driver_set_status(&f->tb, VIRTIO_CONFIG_S_DRIVER_OK);
	assert_int_equal(f->b.started, 1);
}

static void test_broken_stays_broken(void **state)
{
	struct fixture *f = *state;
	struct verr e = VERR_INIT;

	driver_start(&f->d, &f->ta, FEATURES);
	(void)pthread_mutex_lock(&f->a.dev.queues[0].lock);
	vqueue_broken(&f->a.dev.queues[0], "a test");
	(void)pthread_mutex_unlock(&f->a.dev.queues[0].lock);
	vdev_pause(&f->a.dev);
	assert_int_equal(f->a.paused, 1); /* what it has in flight is waited for all the same */
	virtio_mmio_capture(&f->ta, &f->saved);
	assert_false(f->saved.queues[0].runs);
	assert_ok(apply(f, &e), &e);
	vdev_resume(&f->b.dev);
	assert_true(reg_read(&f->tb, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
	assert_true(reg_read(&f->tb, VIRTIO_MMIO_INTERRUPT_STATUS) & VIRTIO_MMIO_INT_CONFIG);
	offer(f);
	vqueue_kick(&f->b.dev.queues[0]);
	serve(f);
	assert_int_equal(f->b.answered, 0);
	driver_start(&f->d, &f->tb, FEATURES);
	assert_int_equal(f->b.started, 1);
}

static void refuse(struct fixture *f, enum verr_kind kind, const char *part)
{
	struct verr e = VERR_INIT;

	assert_fault(apply(f, &e), &e, kind, part);
	assert_int_equal(f->b.activated, 0);
}

/* Each of these is a state no driver could have brought the device into. */
static void test_impossible_states(void **state)
{
	struct fixture *f = *state;
	struct virtio_state good;

	run_and_save(f);
	good = f->saved;
#define IMPOSSIBLE(change, part)               \
	do {                                   \
		f->saved = good;               \
		change;                        \
		refuse(f, VERR_CORRUPT, part); \
	} while (0)
	IMPOSSIBLE(f->saved.status = VIRTIO_CONFIG_S_DRIVER_OK, "this state");
	IMPOSSIBLE(f->saved.status |= 0x20, "this state");
	IMPOSSIBLE(f->saved.interrupt = 1, "this state");
	IMPOSSIBLE(f->saved.features ^= 1ULL << VIRTIO_RING_F_EVENT_IDX, "this state");
	IMPOSSIBLE(f->saved.driver_features = f->saved.features = 0, "this state");
	IMPOSSIBLE(f->saved.queues[0].size = 3, "queue 0");
	IMPOSSIBLE(f->saved.queues[0].size = 2 * QUEUE_SIZE_MAX, "queue 0");
	IMPOSSIBLE(f->saved.queues[0].size = 0, "queue 0");
	IMPOSSIBLE(f->saved.queues[0].runs = false, "queue 0");
	IMPOSSIBLE(f->saved.queues[1].runs = true, "queue 1");
#undef IMPOSSIBLE
}

static void test_rings_outside_of_memory(void **state)
{
	struct fixture *f = *state;
	struct virtio_state good;
	const uint64_t bad[] = {DRIVER_MEMORY, UINT64_MAX - 15, DRIVER_MEMORY - 16, 1};

	run_and_save(f);
	good = f->saved;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		f->saved = good;
		f->saved.queues[0].desc = bad[i];
		refuse(f, VERR_CORRUPT, "not in guest memory");
		f->saved = good;
		f->saved.queues[0].avail = bad[i];
		refuse(f, VERR_CORRUPT, "not in guest memory");
		f->saved = good;
		f->saved.queues[0].used = bad[i];
		refuse(f, VERR_CORRUPT, "not in guest memory");
	}
}

/* An index that the rings do not have is found when the queue is served: as if the guest's. */
static void test_wild_indices(void **state)
{
	struct fixture *f = *state;
	struct verr e = VERR_INIT;

	run_and_save(f);
	f->saved.queues[0].next_avail = 0x8000;
	f->saved.queues[0].next_used = 0xFFFF;
	assert_ok(apply(f, &e), &e);
	vdev_resume(&f->b.dev);
	serve(f);
	assert_int_equal(f->b.answered, 0);
}

static void test_another_device(void **state)
{
	struct fixture *f = *state;
	struct virtio_state good;

	run_and_save(f);
	good = f->saved;
	f->saved.device = 2;
	refuse(f, VERR_INVALID, "was a device 2");
	f->saved = good;
	f->saved.queues_count = 1;
	refuse(f, VERR_INVALID, "it has 2 queues, and had 1");
	f->saved = good;
	f->saved.config_count = 2;
	refuse(f, VERR_INVALID, "another length");
	f->saved = good;
	f->saved.config[0] ^= 1;
	refuse(f, VERR_INVALID, "another one");
	f->saved = good;
	f->saved.features |= 1;
	f->saved.driver_features |= 1;
	refuse(f, VERR_INVALID, "features 0x1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_it_goes_on_where_it_was),
		TEST(test_what_it_holds_is_given_back),
		TEST(test_before_driver_ok),
		TEST(test_broken_stays_broken),
		TEST(test_impossible_states),
		TEST(test_rings_outside_of_memory),
		TEST(test_wild_indices),
		TEST(test_another_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
