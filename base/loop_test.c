/* SPDX-License-Identifier: Apache-2.0 */
#include "base/loop.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/own.h"
#include "base/sys.h"
#include "base/test.h"

struct fixture {
	struct loop *loop;
	struct loop_source source, timer;
	unsigned calls, wanted;
	int ends[2];
};

static void on_call(void *arg)
{
	struct fixture *f = arg;

	if (++f->calls >= f->wanted)
		loop_stop(f->loop);
}

static void on_timeout(void *arg)
{
	loop_stop(((struct fixture *)arg)->loop);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct verr e = VERR_INIT;

	assert_non_null(f);
	*f = (struct fixture){.source = LOOP_SOURCE_INIT, .timer = LOOP_SOURCE_INIT, .wanted = 1};
	assert_int_equal(pipe2(f->ends, O_CLOEXEC | O_NONBLOCK), 0);
	assert_ok(loop_new(&f->loop, &e), &e);
	assert_ok(loop_timer_init(&f->timer, f->loop, on_timeout, f, &e), &e);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	loop_source_deinit(&f->source);
	loop_source_deinit(&f->source); /* twice is legal */
	loop_source_deinit(&f->timer);
	f->loop = loop_free(f->loop);
	fd_close(&f->ends[0]);
	fd_close(&f->ends[1]);
	free(f);
	return 0;
}

/* Run until f->wanted calls, or for so long. */
static void run(struct fixture *f, unsigned milliseconds)
{
	struct verr e = VERR_INIT;

	loop_timer_arm(&f->timer, milliseconds * 1000ULL);
	assert_ok(loop_run(f->loop, &e), &e);
}

static void test_readable(void **state)
{
	struct fixture *f = *state;
	struct verr e = VERR_INIT;

	assert_ok(loop_fd_init(&f->source, f->loop, f->ends[0], LOOP_READ, on_call, f, &e), &e);
	assert_int_equal(write(f->ends[1], "x", 1), 1);
	run(f, 20);
	assert_int_equal(f->calls, 0); /* it starts disabled */
	loop_enable(&f->source);
	f->wanted = 3;
	run(f, 5000);
	assert_int_equal(f->calls, 3); /* by level: nobody has read the byte */
	loop_disable(&f->source);
	run(f, 20);
	assert_int_equal(f->calls, 3);
}

static void test_writable(void **state)
{
	struct fixture *f = *state;
	struct verr e = VERR_INIT;

	assert_ok(loop_fd_init(&f->source, f->loop, f->ends[1], LOOP_WRITE, on_call, f, &e), &e);
	loop_enable(&f->source);
	run(f, 5000);
	assert_int_equal(f->calls, 1);
}

static void test_timer(void **state)
{
	struct fixture *f = *state;
	struct verr e = VERR_INIT;
	uint64_t begin = sys_now_ns();

	assert_ok(loop_timer_init(&f->source, f->loop, on_call, f, &e), &e);
	loop_timer_arm(&f->source, 30000);
	run(f, 5000);
	assert_int_equal(f->calls, 1);
	assert_in_range(sys_now_ns() - begin, 25000000, 4000000000);
	run(f, 50);
	assert_int_equal(f->calls, 1); /* once for each time it is armed */
	loop_timer_arm(&f->source, 10000);
	loop_disable(&f->source);
	run(f, 50);
	assert_int_equal(f->calls, 1);
}

static void *wake_much(void *arg)
{
	for (int i = 0; i < 1000; i++)
		loop_wake(arg);
	return NULL;
}

static void test_wake_from_another_thread(void **state)
{
	struct fixture *f = *state;
	struct verr e = VERR_INIT;
	pthread_t thread;
	unsigned calls;

	assert_ok(loop_wake_init(&f->source, f->loop, on_call, f, &e), &e);
	run(f, 20);
	assert_int_equal(f->calls, 0);
	assert_int_equal(pthread_create(&thread, NULL, wake_much, &f->source), 0);
	run(f, 5000);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_in_range(f->calls, 1, 1000);
	/* What came before the loop runs is one call. */
	f->wanted = 1000;
	run(f, 50);
	calls = f->calls;
	for (int i = 0; i < 100; i++)
		loop_wake(&f->source);
	run(f, 50);
	assert_int_equal(f->calls, calls + 1);
}

static void test_edges_of_an_eventfd(void **state)
{
	struct fixture *f = *state;
	struct verr e = VERR_INIT;
	auto_fd fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	uint64_t one = 1;

	assert_ok(loop_edge_init(&f->source, f->loop, fd, on_call, f, &e), &e);
	loop_enable(&f->source);
	f->wanted = 10;
	run(f, 20);
	assert_int_equal(f->calls, 0);
	for (unsigned i = 1; i <= 3; i++) {
		assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
		run(f, 20);
		assert_int_equal(f->calls, i); /* once each, though nobody reads it */
	}
}

static void on_wake_again(void *arg)
{
	struct fixture *f = arg;

	if (f->calls == 0)
		loop_wake(&f->source);
	on_call(f);
}

static void test_wake_inside_its_callback(void **state)
{
	struct fixture *f = *state;
	struct verr e = VERR_INIT;

	assert_ok(loop_wake_init(&f->source, f->loop, on_wake_again, f, &e), &e);
	f->wanted = 2;
	loop_wake(&f->source);
	run(f, 5000);
	assert_int_equal(f->calls, 2);
}

static void on_deinit(void *arg)
{
	struct fixture *f = arg;

	loop_source_deinit(&f->source);
	on_call(f);
}

static void test_deinit_inside_its_callback(void **state)
{
	struct fixture *f = *state;
	struct verr e = VERR_INIT;

	assert_ok(loop_wake_init(&f->source, f->loop, on_deinit, f, &e), &e);
	loop_wake(&f->source);
	run(f, 5000);
	assert_int_equal(f->calls, 1);
	assert_int_equal(f->source.fd, -1);
	run(f, 20);
	assert_int_equal(f->calls, 1);
}

/* A signal may ask to stop while the machine is still being built. */
static void test_stop_before_run(void **state)
{
	struct fixture *f = *state;
	struct verr e = VERR_INIT;

	loop_stop(f->loop);
	assert_ok(loop_run(f->loop, &e), &e); /* returns */
	assert_ok(loop_wake_init(&f->source, f->loop, on_call, f, &e), &e);
	loop_wake(&f->source);
	run(f, 5000); /* and the next run runs */
	assert_int_equal(f->calls, 1);
	assert_null(loop_free(NULL));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_readable),
		TEST(test_writable),
		TEST(test_timer),
		TEST(test_wake_from_another_thread),
		TEST(test_edges_of_an_eventfd),
		TEST(test_wake_inside_its_callback),
		TEST(test_deinit_inside_its_callback),
		TEST(test_stop_before_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
