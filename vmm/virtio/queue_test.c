/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/virtio/queue.h"

#include <linux/virtio_config.h>
#include <pthread.h>
#include <stdlib.h>

#include "vmm/virtio/virtio_test.h"

#define INDIRECT (1ULL << VIRTIO_RING_F_INDIRECT_DESC)
#define EVENT_IDX (1ULL << VIRTIO_RING_F_EVENT_IDX)
#define SIZE 8

struct fixture {
	struct driver d;
	struct queue q;
	struct chain c;
};

static void start(struct fixture *f, uint64_t features)
{
	struct queue_setup s = driver_setup(&f->d);

	assert_true(queue_start(&f->q, f->d.mem, &s, features));
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->d = driver_new(SIZE);
	start(f, INDIRECT);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	driver_free(&f->d);
	free(f);
	return 0;
}

static struct vring_desc buffer(uint64_t gpa, uint32_t len, uint16_t flags)
{
	return (struct vring_desc){.addr = gpa, .len = len, .flags = flags};
}

static void test_a_chain(void **state)
{
	struct fixture *f = *state;
	struct vring_desc list[] = {buffer(DRIVER_DATA, 16, 0),
				    buffer(DRIVER_DATA + 0x1000, 4096, 0),
				    buffer(DRIVER_DATA + 0x3000, 512, VRING_DESC_F_WRITE)};
	struct vring_used_elem used = {0};
	uint16_t head;

	assert_int_equal(queue_next(&f->q, &f->c), CHAIN_EMPTY);
	(void)driver_add(&f->d, list, 3);
	head = driver_add(&f->d, list, 3);
	assert_int_equal(queue_next(&f->q, &f->c), CHAIN_OK);
	queue_undo(&f->q);
	assert_int_equal(queue_next(&f->q, &f->c), CHAIN_OK);
	assert_int_equal(f->c.head, 0);
	assert_int_equal(queue_next(&f->q, &f->c), CHAIN_OK);
	assert_int_equal(f->c.head, head);
	assert_int_equal(f->c.nread, 2);
	assert_int_equal(f->c.nwrite, 1);
	assert_int_equal(f->c.read_len, 16 + 4096);
	assert_int_equal(f->c.write_len, 512);
	assert_ptr_equal(f->c.iov[2].iov_base, driver_at(&f->d, DRIVER_DATA + 0x3000, 512));
	assert_int_equal(f->c.iov[2].iov_len, 512);
	assert_int_equal(queue_next(&f->q, &f->c), CHAIN_EMPTY);
	assert_false(driver_take(&f->d, &used));
	queue_put(&f->q, head, 77);
	assert_true(driver_take(&f->d, &used));
	assert_int_equal(used.id, head);
	assert_int_equal(used.len, 77);
}

static void test_an_empty_buffer_is_no_buffer(void **state)
{
	struct fixture *f = *state;
	struct vring_desc list[] = {buffer(DRIVER_DATA, 0, 0), buffer(DRIVER_DATA, 8, 0)};

	(void)driver_add(&f->d, list, 2);
	assert_int_equal(queue_next(&f->q, &f->c), CHAIN_OK);
	assert_int_equal(f->c.nread, 1);
}

static void test_indices_wrap(void **state)
{
	struct fixture *f = *state;
	struct vring_desc list[] = {buffer(DRIVER_DATA, 8, 0)};
	struct vring_used_elem used = {0};

	for (unsigned i = 0; i < 70000; i++) {
		uint16_t head = driver_add(&f->d, list, 1);

		assert_int_equal(queue_next(&f->q, &f->c), CHAIN_OK);
		queue_put(&f->q, f->c.head, i & 0xFFFF);
		assert_true(driver_take(&f->d, &used));
		assert_int_equal(used.id, head);
	}
}

/* --- what a driver must not do; each was a real flaw in some monitor --- */

static void refuse_chain(struct fixture *f, const struct vring_desc *list, uint16_t count)
{
	(void)driver_add(&f->d, list, count);
	assert_int_equal(queue_next(&f->q, &f->c), CHAIN_BAD);
	/* Asking again gives the same answer: no state was half changed. */
	assert_int_equal(queue_next(&f->q, &f->c), CHAIN_BAD);
}

static void test_bad_head(void **state)
{
	struct fixture *f = *state;

	driver_offer(&f->d, SIZE);
	assert_int_equal(queue_next(&f->q, &f->c), CHAIN_BAD);
}

static void test_bad_next(void **state)
{
	struct fixture *f = *state;

	driver_desc(&f->d)[0] = (struct vring_desc){
		.addr = DRIVER_DATA, .len = 8, .flags = VRING_DESC_F_NEXT, .next = SIZE};
	driver_offer(&f->d, 0);
	assert_int_equal(queue_next(&f->q, &f->c), CHAIN_BAD);
}

static void test_index_runs_ahead(void **state)
{
	struct fixture *f = *state;

	driver_avail(&f->d)->idx = SIZE + 1;
	assert_int_equal(queue_next(&f->q, &f->c), CHAIN_BAD);
	driver_avail(&f->d)->idx = SIZE;
	assert_int_not_equal(queue_next(&f->q, &f->c), CHAIN_EMPTY);
}

static void test_loops(void **state)
{
	struct fixture *f = *state;
	struct vring_desc *table = driver_desc(&f->d);

	for (uint16_t i = 0; i < SIZE; i++)
		table[i] = (struct vring_desc){.addr = DRIVER_DATA,
					       .len = 0, /* adds nothing that a limit would stop */
					       .flags = VRING_DESC_F_NEXT,
					       .next = (uint16_t)((i + 1) % SIZE)};
	driver_offer(&f->d, 0);
	assert_int_equal(queue_next(&f->q, &f->c), CHAIN_BAD);
	table[0].next = 0;
	assert_int_equal(queue_next(&f->q, &f->c), CHAIN_BAD);
}

static void test_readable_behind_writable(void **state)
{
	struct fixture *f = *state;
	struct vring_desc list[] = {buffer(DRIVER_DATA, 8, VRING_DESC_F_WRITE),
				    buffer(DRIVER_DATA, 8, 0)};

	refuse_chain(f, list, 2);
}

static void test_bad_addresses(void **state)
{
	static const struct vring_desc bad[] = {
		{.addr = DRIVER_MEMORY, .len = 1},
		{.addr = DRIVER_MEMORY - 1, .len = 2},
		{.addr = UINT64_MAX, .len = 1},
		{.addr = UINT64_MAX - 7, .len = 16},
		{.addr = 0, .len = UINT32_MAX},
		{.addr = MEM_HOLE_START, .len = 8},
		{.addr = DRIVER_MEMORY - 8, .len = 9, .flags = VRING_DESC_F_WRITE},
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct fixture *f = *state;

		refuse_chain(f, &bad[i], 1);
		assert_int_equal(teardown(state), 0);
		assert_int_equal(setup(state), 0);
	}
}

static void test_last_byte_of_memory(void **state)
{
	struct fixture *f = *state;
	struct vring_desc list[] = {buffer(DRIVER_MEMORY - 8, 8, 0)};

	(void)driver_add(&f->d, list, 1);
	assert_int_equal(queue_next(&f->q, &f->c), CHAIN_OK);
}

/* --- indirect tables --- */

#define TABLE (DRIVER_DATA + 0x8000)

static void indirect(struct fixture *f, uint32_t len, uint16_t flags)
{
	driver_desc(&f->d)[0] = (struct vring_desc){
		.addr = TABLE, .len = len, .flags = VRING_DESC_F_INDIRECT | flags};
	driver_offer(&f->d, 0);
}

static struct vring_desc *fill_table(struct fixture *f, uint16_t count)
{
	struct vring_desc *t = driver_at(&f->d, TABLE, (count + 1ULL) * sizeof(*t));

	for (uint16_t i = 0; i < count; i++)
		t[i] = (struct vring_desc){.addr = DRIVER_DATA + 16ULL * i,
					   .len = 16,
					   .flags = i + 1 < count ? VRING_DESC_F_NEXT : 0,
					   .next = (uint16_t)(i + 1)};
	return t;
}

static void test_indirect(void **state)
{
	struct fixture *f = *state;

	(void)fill_table(f, QUEUE_CHAIN_MAX);
	indirect(f, QUEUE_CHAIN_MAX * 16, 0);
	assert_int_equal(queue_next(&f->q, &f->c), CHAIN_OK);
	assert_int_equal(f->c.nread, QUEUE_CHAIN_MAX);
}

static void test_indirect_too_long(void **state)
{
	struct fixture *f = *state;

	(void)fill_table(f, QUEUE_CHAIN_MAX + 1);
	indirect(f, (QUEUE_CHAIN_MAX + 1) * 16, 0);
	assert_int_equal(queue_next(&f->q, &f->c), CHAIN_BAD);
}

static void test_indirect_misuse(void **state)
{
	static const struct {
		uint32_t len;
		uint16_t flags;
	} bad[] = {{0, 0}, {8, 0}, {17, 0}, {16, VRING_DESC_F_NEXT}, {UINT32_MAX & ~15u, 0}};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct fixture *f = *state;

		(void)fill_table(f, 1);
		indirect(f, bad[i].len, bad[i].flags);
		assert_int_equal(queue_next(&f->q, &f->c), CHAIN_BAD);
		assert_int_equal(teardown(state), 0);
		assert_int_equal(setup(state), 0);
	}
}

static void test_indirect_in_indirect(void **state)
{
	struct fixture *f = *state;
	struct vring_desc *t = fill_table(f, 2);

	t[1] = (struct vring_desc){.addr = TABLE, .len = 32, .flags = VRING_DESC_F_INDIRECT};
	indirect(f, 32, 0);
	assert_int_equal(queue_next(&f->q, &f->c), CHAIN_BAD);
}

/* A table that is the queue's own, and so leads into itself. */
static void test_indirect_is_the_queues_table(void **state)
{
	struct fixture *f = *state;

	driver_desc(&f->d)[0] = (struct vring_desc){
		.addr = DRIVER_DESC, .len = SIZE * 16, .flags = VRING_DESC_F_INDIRECT};
	driver_offer(&f->d, 0);
	assert_int_equal(queue_next(&f->q, &f->c), CHAIN_BAD);
}

static void test_indirect_loop_and_bad_next(void **state)
{
	struct fixture *f = *state;
	struct vring_desc *t = fill_table(f, 2);

	t[1].flags = VRING_DESC_F_NEXT;
	t[1].next = 0;
	t[0].len = t[1].len = 0;
	indirect(f, 32, 0);
	assert_int_equal(queue_next(&f->q, &f->c), CHAIN_BAD);
	t[1].next = 2;
	assert_int_equal(queue_next(&f->q, &f->c), CHAIN_BAD);
}

/* A table may be as large as memory: buffers that are none must not keep the host busy. */
static void test_indirect_empty_buffers_end(void **state)
{
	struct fixture *f = *state;
	struct vring_desc *t = fill_table(f, QUEUE_SIZE_MAX + 1);

	for (size_t i = 0; i <= QUEUE_SIZE_MAX; i++)
		t[i].len = 0;
	indirect(f, (QUEUE_SIZE_MAX + 1) * 16, 0);
	assert_int_equal(queue_next(&f->q, &f->c), CHAIN_BAD);
	t[QUEUE_SIZE_MAX - 1].flags = 0;
	assert_int_equal(queue_next(&f->q, &f->c), CHAIN_OK);
}

static void test_indirect_not_negotiated(void **state)
{
	struct fixture *f = *state;

	start(f, 0);
	(void)fill_table(f, 1);
	indirect(f, 16, 0);
	assert_int_equal(queue_next(&f->q, &f->c), CHAIN_BAD);
}

/* --- where the rings may be --- */

static void test_bad_places(void **state)
{
	struct fixture *f = *state;
	const struct queue_setup good = driver_setup(&f->d);
	struct queue_setup bad[] = {good, good, good, good, good, good, good, good, good, good};
	struct queue untouched = f->q;

	bad[0].size = 0;
	bad[1].size = 3;
	bad[2].size = QUEUE_SIZE_MAX * 2;
	bad[3].desc += 8;
	bad[4].avail += 1;
	bad[5].used += 2;
	bad[6].desc = DRIVER_MEMORY - 16;
	bad[7].avail = DRIVER_MEMORY - 4;
	bad[8].used = UINT64_MAX - 3;
	bad[9].desc = MEM_HOLE_START;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(queue_start(&f->q, f->d.mem, &bad[i], INDIRECT));
	assert_memory_equal(&f->q, &untouched, sizeof(untouched));
}

/* --- who wants to hear of what --- */

static void test_interrupts_by_flag(void **state)
{
	struct fixture *f = *state;

	assert_false(queue_should_interrupt(&f->q)); /* nothing was put */
	queue_put(&f->q, 0, 0);
	assert_true(queue_should_interrupt(&f->q));
	assert_false(queue_should_interrupt(&f->q));
	driver_avail(&f->d)->flags = VRING_AVAIL_F_NO_INTERRUPT;
	queue_put(&f->q, 0, 0);
	assert_false(queue_should_interrupt(&f->q));
}

static void test_interrupts_by_event(void **state)
{
	struct fixture *f = *state;
	uint16_t *event = &driver_avail(&f->d)->ring[SIZE];

	start(f, EVENT_IDX);
	*event = 2; /* "when the third has been used" */
	queue_put(&f->q, 0, 0);
	assert_false(queue_should_interrupt(&f->q));
	queue_put(&f->q, 0, 0);
	queue_put(&f->q, 0, 0);
	queue_put(&f->q, 0, 0);
	assert_true(queue_should_interrupt(&f->q));
	queue_put(&f->q, 0, 0);
	assert_false(queue_should_interrupt(&f->q));
}

static void test_notifications_by_flag(void **state)
{
	struct fixture *f = *state;
	struct vring_desc list[] = {buffer(DRIVER_DATA, 8, 0)};

	queue_disarm(&f->q);
	assert_int_equal(driver_used(&f->d)->flags, VRING_USED_F_NO_NOTIFY);
	assert_false(queue_arm(&f->q));
	assert_int_equal(driver_used(&f->d)->flags, 0);
	queue_disarm(&f->q);
	(void)driver_add(&f->d, list, 1);
	assert_true(queue_arm(&f->q)); /* it came in between */
}

static void test_notifications_by_event(void **state)
{
	struct fixture *f = *state;
	struct vring_desc list[] = {buffer(DRIVER_DATA, 8, 0)};
	uint16_t *event = (uint16_t *)(void *)&driver_used(&f->d)->ring[SIZE];

	start(f, EVENT_IDX);
	(void)driver_add(&f->d, list, 1);
	assert_int_equal(queue_next(&f->q, &f->c), CHAIN_OK);
	queue_disarm(&f->q);
	assert_int_equal(*event, 0); /* has passed */
	assert_false(queue_arm(&f->q));
	assert_int_equal(*event, 1);
	assert_int_equal(driver_used(&f->d)->flags, 0);
}

/* --- a guest that changes what was checked (double fetch) --- */

struct race {
	struct fixture *f;
	atomic_bool stop;
};

static void *flip(void *arg)
{
	struct race *r = arg;
	struct vring_desc *d = driver_desc(&r->f->d);

	for (uint32_t i = 0; !atomic_load(&r->stop); i++) {
		__atomic_store_n(&d->len, i & 1 ? 8 : UINT32_MAX, __ATOMIC_RELAXED);
		__atomic_store_n(&d->addr, i & 2 ? DRIVER_DATA : UINT64_MAX, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void test_descriptor_changes_meanwhile(void **state)
{
	struct fixture *f = *state;
	struct race r = {.f = f};
	unsigned good = 0;
	pthread_t thread;

	driver_desc(&f->d)[0] = buffer(DRIVER_DATA, 8, 0);
	driver_offer(&f->d, 0);
	assert_int_equal(pthread_create(&thread, NULL, flip, &r), 0);
	/* On a busy machine the other thread may not run for all of these. */
	for (unsigned i = 0; i < 200000 || good == 0; i++) {
		if (queue_next(&f->q, &f->c) != CHAIN_OK)
			continue;
		good++;
		assert_int_equal(f->c.iov[0].iov_len, 8);
		assert_ptr_equal(f->c.iov[0].iov_base, driver_at(&f->d, DRIVER_DATA, 8));
		queue_undo(&f->q);
	}
	atomic_store(&r.stop, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(good > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_chain),
		TEST(test_an_empty_buffer_is_no_buffer),
		TEST(test_indices_wrap),
		TEST(test_bad_head),
		TEST(test_bad_next),
		TEST(test_index_runs_ahead),
		TEST(test_loops),
		TEST(test_readable_behind_writable),
		TEST(test_bad_addresses),
		TEST(test_last_byte_of_memory),
		TEST(test_indirect),
		TEST(test_indirect_too_long),
		TEST(test_indirect_misuse),
		TEST(test_indirect_in_indirect),
		TEST(test_indirect_is_the_queues_table),
		TEST(test_indirect_loop_and_bad_next),
		TEST(test_indirect_empty_buffers_end),
		TEST(test_indirect_not_negotiated),
		TEST(test_bad_places),
		TEST(test_interrupts_by_flag),
		TEST(test_interrupts_by_event),
		TEST(test_notifications_by_flag),
		TEST(test_notifications_by_event),
		TEST(test_descriptor_changes_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
