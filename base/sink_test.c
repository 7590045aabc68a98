/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sink.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/own.h"
#include "base/sys.h"
#include "base/test.h"

#define CAPACITY 1000

struct fixture {
	struct loop *loop;
	struct sink *sink;
	struct loop_source timer;
	int reader;
	counter dropped;
	uint8_t got[1 << 17];
};

static void on_timer(void *arg)
{
	loop_stop(((struct fixture *)arg)->loop);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct verr e = VERR_INIT;

	assert_non_null(f);
	(void)signal(SIGPIPE, SIG_IGN);
	f->reader = -1;
	assert_ok(loop_new(&f->loop, &e), &e);
	assert_ok(loop_timer_init(&f->timer, f->loop, on_timer, f, &e), &e);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	f->sink = sink_free(f->sink);
	loop_source_deinit(&f->timer);
	f->loop = loop_free(f->loop);
	fd_close(&f->reader);
	free(f);
	return 0;
}

static void make_sink(struct fixture *f, int fd, size_t capacity)
{
	struct verr e = VERR_INIT;

	assert_true(fd >= 0);
	assert_ok(sink_new(f->loop, fd, capacity, &f->sink, &e), &e);
	sink_count_drops(f->sink, &f->dropped);
}

/* A sink into a pipe of one page. */
static void make_pipe_sink(struct fixture *f)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	assert_true(fcntl(ends[1], F_SETPIPE_SZ, 4096) >= 0);
	f->reader = ends[0];
	make_sink(f, ends[1], CAPACITY);
}

static void run(struct fixture *f, unsigned milliseconds)
{
	struct verr e = VERR_INIT;

	loop_timer_arm(&f->timer, milliseconds * 1000ULL);
	assert_ok(loop_run(f->loop, &e), &e);
}

static void put_text(struct fixture *f, const char *text)
{
	sink_put(f->sink, text, strlen(text));
}

static void assert_reads(struct fixture *f, const char *want)
{
	ssize_t n = read(f->reader, f->got, sizeof(f->got) - 1);

	f->got[n > 0 ? n : 0] = '\0';
	assert_string_equal((const char *)f->got, want);
}

static void test_bytes_go_through(void **state)
{
	struct fixture *f = *state;

	make_pipe_sink(f);
	put_text(f, "one ");
	put_text(f, "two");
	assert_reads(f, ""); /* the loop writes, not the caller */
	run(f, 20);
	assert_reads(f, "one two");
	put_text(f, "three");
	run(f, 20);
	assert_reads(f, "three");
	sink_put(f->sink, NULL, 0);
	run(f, 20);
	assert_int_equal(sink_dropped(f->sink), 0);
}

/* Nobody reads: what fits is kept, in order, the rest is dropped and counted. */
static void test_blocked_reader(void **state)
{
	struct fixture *f = *state;
	uint8_t next = 0;
	uint64_t kept;
	size_t got = 0;
	ssize_t n;

	make_pipe_sink(f);
	for (unsigned i = 0; i < 100; i++) {
		uint8_t piece[100];

		for (size_t at = 0; at < sizeof(piece); at++)
			piece[at] = next++;
		sink_put(f->sink, piece, sizeof(piece));
		run(f, 1);
	}
	assert_int_equal(sink_dropped(f->sink), counter_get(&f->dropped));
	kept = 10000 - sink_dropped(f->sink);
	assert_in_range(kept, 4000 + CAPACITY, 4096 + CAPACITY); /* the pipe takes whole pieces */
	/* It comes back. */
	for (int i = 0; i < 5; i++) {
		while ((n = read(f->reader, f->got + got, sizeof(f->got) - got)) > 0)
			got += (size_t)n;
		run(f, 10);
	}
	assert_int_equal(got, kept);
	for (size_t i = 0; i < got; i++)
		assert_int_equal(f->got[i], (uint8_t)i);
	put_text(f, "again");
	run(f, 20);
	assert_reads(f, "again");
}

static void test_reader_has_gone(void **state)
{
	struct fixture *f = *state;

	make_pipe_sink(f);
	fd_close(&f->reader);
	put_text(f, "1234");
	run(f, 20);
	put_text(f, "5678");
	run(f, 20);
	assert_int_equal(sink_dropped(f->sink), 8);
	assert_int_equal(counter_get(&f->dropped), 8);
}

static void test_larger_than_the_ring(void **state)
{
	struct fixture *f = *state;
	char text[3 * CAPACITY];

	make_pipe_sink(f);
	memset(text, 'x', sizeof(text));
	sink_put(f->sink, text, sizeof(text));
	assert_int_equal(sink_dropped(f->sink), 2 * CAPACITY);
	run(f, 20);
	assert_int_equal(read(f->reader, f->got, sizeof(f->got)), CAPACITY);
}

/* epoll refuses regular files: they are written as the bytes come. */
static void test_regular_file(void **state)
{
	struct fixture *f = *state;
	char path[] = "/tmp/volt-sink-XXXXXX";

	make_sink(f, mkstemp(path), CAPACITY);
	f->reader = open(path, O_RDONLY | O_CLOEXEC);
	(void)unlink(path);
	for (int i = 0; i < 100; i++) {
		put_text(f, "0123456789012345678901234567890123456789");
		run(f, 1);
	}
	assert_int_equal(read(f->reader, f->got, sizeof(f->got)), 4000);
	assert_int_equal(sink_dropped(f->sink), 0);
}

/* A full disk costs what is written now; /dev/full is always full. */
static void test_full_disk(void **state)
{
	struct fixture *f = *state;

	make_sink(f, open("/dev/full", O_WRONLY | O_CLOEXEC), CAPACITY);
	put_text(f, "123");
	run(f, 20);
	put_text(f, "45");
	run(f, 20);
	assert_int_equal(sink_dropped(f->sink), 5);
}

static void test_flush(void **state)
{
	struct fixture *f = *state;
	char text[CAPACITY];
	uint64_t begin = 0;

	make_pipe_sink(f);
	put_text(f, "last words");
	sink_flush(f->sink, 1000);
	assert_reads(f, "last words");
	/* With nobody to read it waits, but not for ever. */
	memset(text, 'x', sizeof(text));
	for (int i = 0; i < 6; i++) {
		sink_put(f->sink, text, sizeof(text));
		begin = sys_now_ns();
		sink_flush(f->sink, 100);
	}
	assert_in_range(sys_now_ns() - begin, 90000000, 2000000000);
}

/*
 * Who fills the ring as fast as it drains does not keep the loop from its timers: a turn writes
 * only a part of what is there.
 */
static void test_loop_has_its_turns(void **state)
{
	struct fixture *f = *state;
	char path[] = "/tmp/volt-sink-XXXXXX";
	size_t size = MIB(1);
	uint8_t *text = calloc(1, size);
	struct stat st;

	assert_non_null(text);
	make_sink(f, mkstemp(path), size);
	f->reader = open(path, O_RDONLY | O_CLOEXEC);
	(void)unlink(path);
	sink_put(f->sink, text, size);
	run(f, 0);
	assert_int_equal(fstat(f->reader, &st), 0);
	assert_in_range(st.st_size, 0, size / 2);
	run(f, 1000); /* the rest follows unasked */
	assert_int_equal(fstat(f->reader, &st), 0);
	assert_int_equal(st.st_size, size);
	free(text);
}

#define SLOW_BYTES 1000

static void *put_slowly(void *arg)
{
	struct fixture *f = arg;
	const struct timespec pause = {.tv_nsec = 10000};

	for (unsigned i = 0; i < SLOW_BYTES; i++) {
		sink_put(f->sink, "x", 1);
		(void)nanosleep(&pause, NULL);
	}
	return NULL;
}

/* Single bytes, a little apart, are written together. */
static void test_single_bytes_are_gathered(void **state)
{
	struct fixture *f = *state;
	unsigned bytes = 0, writes = 0;
	pthread_t thread;
	int ends[2];
	ssize_t n;

	/* A packet for each write. */
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK | O_DIRECT), 0);
	assert_true(fcntl(ends[1], F_SETPIPE_SZ, 1 << 20) >= 0);
	f->reader = ends[0];
	make_sink(f, ends[1], CAPACITY);
	assert_int_equal(pthread_create(&thread, NULL, put_slowly, f), 0);
	while (bytes < SLOW_BYTES) {
		run(f, 10);
		while ((n = read(f->reader, f->got, sizeof(f->got))) > 0) {
			bytes += (unsigned)n;
			writes++;
		}
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(bytes, SLOW_BYTES);
	assert_in_range(writes, 1, SLOW_BYTES / 4);
}

#define THREAD_BYTES 50000

static void *count_up(void *arg)
{
	struct fixture *f = arg;

	for (unsigned i = 0; i < THREAD_BYTES; i++) {
		uint8_t byte = (uint8_t)(i % 251);

		sink_put(f->sink, &byte, 1);
	}
	return NULL;
}

/* One thread puts while the loop drains: nothing is lost, nothing changes its place. */
static void test_order_between_threads(void **state)
{
	struct fixture *f = *state;
	char path[] = "/tmp/volt-sink-XXXXXX";
	pthread_t thread;

	make_sink(f, mkstemp(path), THREAD_BYTES);
	f->reader = open(path, O_RDONLY | O_CLOEXEC);
	(void)unlink(path);
	assert_int_equal(pthread_create(&thread, NULL, count_up, f), 0);
	run(f, 100);
	assert_int_equal(pthread_join(thread, NULL), 0);
	sink_flush(f->sink, 1000);
	assert_int_equal(read(f->reader, f->got, sizeof(f->got)), THREAD_BYTES);
	for (unsigned i = 0; i < THREAD_BYTES; i++)
		if (f->got[i] != i % 251)
			fail_msg("byte %u is %u", i, f->got[i]);
	assert_int_equal(sink_dropped(f->sink), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_bytes_go_through),
		TEST(test_blocked_reader),
		TEST(test_reader_has_gone),
		TEST(test_larger_than_the_ring),
		TEST(test_regular_file),
		TEST(test_full_disk),
		TEST(test_flush),
		TEST(test_loop_has_its_turns),
		TEST(test_single_bytes_are_gathered),
		TEST(test_order_between_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
