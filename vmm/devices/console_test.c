/* SPDX-License-Identifier: Apache-2.0 */
/* The console on pipes, files and nothing; on terminals: console_tty_test.c. */
#include "vmm/devices/console_test.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>

#define MUCH 2000

/* MUCH bytes that show when one is lost or moved. */
static void fill(char *text)
{
	for (unsigned i = 0; i < MUCH; i++)
		text[i] = (char)('0' + i % 71);
}

static int null_output(void)
{
	return open("/dev/null", O_WRONLY | O_CLOEXEC);
}

static void test_input_from_a_pipe(void **state)
{
	struct fixture *f = *state;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	replace(0, ends[0]);
	replace(1, null_output());
	start(f, CONSOLE_STDIO, NULL);
	/* Keys mean nothing here: nobody presses them. */
	assert_int_equal(write(ends[1], "a\001x\003b", 5), 5);
	assert_true(run_until_read(f, 5));
	assert_string_equal(f->got, "a\001x\003b");
	assert_int_equal(f->quits, 0);
	assert_true(loop_is_idle(f));
	assert_int_equal(write(ends[1], "end", 3), 3);
	(void)close(ends[1]);
	assert_true(run_until_read(f, 8));
	assert_string_equal(f->got + 5, "end");
	assert_true(loop_is_idle(f)); /* after the end of the input, too */
	assert_int_equal(console_counter(f, "bytes_in"), 8);
}

/* More than the UART takes at a time: nothing is lost, and nothing spins while it is full. */
static void test_input_waits_for_room(void **state)
{
	struct fixture *f = *state;
	char text[MUCH];
	int ends[2];

	fill(text);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], text, MUCH), MUCH);
	replace(0, ends[0]);
	replace(1, null_output());
	start(f, CONSOLE_STDIO, NULL);
	assert_true(loop_is_idle(f));
	assert_int_equal(console_counter(f, "bytes_in"), 16);
	assert_true(run_until_read(f, MUCH));
	assert_memory_equal(f->got, text, MUCH);
	(void)close(ends[1]);
}

/* A driver that clears its FIFO while it starts loses nothing of what was piped in before. */
static void test_input_waits_for_the_guest(void **state)
{
	struct fixture *f = *state;
	struct verr e = VERR_INIT;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "typed early", 11), 11);
	replace(0, ends[0]);
	replace(1, null_output());
	assert_ok(console_open_kind(f, CONSOLE_STDIO, NULL, &e), &e);
	assert_ok(console_start(f->console, f->serial, &e), &e);
	assert_true(loop_is_idle(f));
	serial_pio.out(f->serial, 2, 0x01);
	serial_pio.out(f->serial, 2, 0x07);
	serial_pio.out(f->serial, 2, 0x00);
	serial_pio.out(f->serial, 4, 0x08);
	run_for(f, 20);
	serial_pio.out(f->serial, 1, 0x01);
	run_for(f, 20);
	serial_pio.out(f->serial, 2, 0x01);
	assert_true(run_until_read(f, 11));
	assert_string_equal(f->got, "typed early");
	(void)close(ends[1]);
}

/* epoll does not take regular files. */
static void test_input_from_a_file(void **state)
{
	struct fixture *f = *state;
	char path[] = "/tmp/volt-console-XXXXXX", text[MUCH];
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	(void)unlink(path);
	fill(text);
	assert_int_equal(write(fd, text, MUCH), MUCH);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	replace(0, fd);
	replace(1, null_output());
	start(f, CONSOLE_STDIO, NULL);
	assert_true(loop_is_idle(f)); /* the UART is full */
	assert_true(run_until_read(f, MUCH));
	assert_memory_equal(f->got, text, MUCH);
	assert_true(loop_is_idle(f)); /* the file is at its end */
}

static void test_no_input(void **state)
{
	struct fixture *f = *state;
	static const char *const inputs[] = {"/dev/null", "/", NULL};

	for (size_t i = 0; i < ARRAY_LEN(inputs); i++) {
		replace(0, inputs[i] != NULL ? open(inputs[i], O_RDONLY | O_CLOEXEC) : -1);
		replace(1, null_output());
		start(f, CONSOLE_STDIO, NULL);
		assert_true(loop_is_idle(f));
		assert_int_equal(console_counter(f, "bytes_in"), 0);
		console_resume(f->console);
		console_restore(f->console);
		stop(f);
	}
	console_restore(NULL);
	assert_null(console_free(NULL));
}

static void test_output_to_a_pipe(void **state)
{
	struct fixture *f = *state;
	char got[16] = {0};
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	replace(0, -1);
	replace(1, ends[1]);
	start(f, CONSOLE_STDIO, NULL);
	guest_print(f, "hello\r\n");
	run_for(f, 20);
	assert_int_equal(read(ends[0], got, sizeof(got)), 7);
	assert_string_equal(got, "hello\r\n");
	/* What is still in the ring is written at the end. */
	guest_print(f, "bye");
	assert_int_equal(console_counter(f, "bytes_out"), 10);
	assert_int_equal(console_counter(f, "dropped"), 0);
	stop(f);
	assert_int_equal(read(ends[0], got, sizeof(got)), 3);
	assert_int_equal(fcntl(1, F_GETFL) & O_NONBLOCK, 0); /* whoever shares it sees no change */
	(void)close(ends[0]);
}

/* A socket cannot be opened again: it blocks again when the console is done with it. */
static void test_socket(void **state)
{
	struct fixture *f = *state;
	char got[8] = {0};
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	replace(0, fcntl(ends[0], F_DUPFD_CLOEXEC, 0));
	replace(1, ends[0]);
	start(f, CONSOLE_STDIO, NULL);
	assert_int_equal(write(ends[1], "in", 2), 2);
	assert_true(run_until_read(f, 2));
	guest_print(f, "out");
	stop(f);
	assert_int_equal(read(ends[1], got, sizeof(got)), 3);
	assert_string_equal(got, "out");
	assert_int_equal(fcntl(0, F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(fcntl(1, F_GETFL) & O_NONBLOCK, 0);
	(void)close(ends[1]);
}

#define FLOOD (1 << 20)

/* A reader that has stopped: the guest runs on, memory is bounded, the rest is counted. */
static void test_blocked_reader(void **state)
{
	struct fixture *f = *state;
	uint64_t dropped, begin;
	uint8_t byte;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	replace(0, -1);
	replace(1, ends[1]);
	start(f, CONSOLE_STDIO, NULL);
	for (unsigned i = 0; i < FLOOD; i++)
		console_send(f->console, (uint8_t)(i % 251));
	run_for(f, 20);
	assert_true(loop_is_idle(f));
	dropped = console_counter(f, "dropped");
	assert_int_equal(console_counter(f, "bytes_out"), FLOOD);
	assert_in_range(dropped, FLOOD - 512 * 1024, FLOOD - 1);
	/* Its oldest output is kept, in order. */
	for (unsigned i = 0; i < 1000; i++) {
		assert_int_equal(read(ends[0], &byte, 1), 1);
		assert_int_equal(byte, i % 251);
	}
	begin = sys_now_ns();
	stop(f);
	assert_in_range(sys_now_ns() - begin, 0, 3000000000ULL);
	(void)close(ends[0]);
}

static void test_reader_has_gone(void **state)
{
	struct fixture *f = *state;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	(void)close(ends[0]);
	replace(0, -1);
	replace(1, ends[1]);
	start(f, CONSOLE_STDIO, NULL);
	guest_print(f, "nobody reads this");
	assert_true(loop_is_idle(f));
	assert_int_equal(console_counter(f, "dropped"), 17);
}

static void test_stdout_closed(void **state)
{
	struct fixture *f = *state;

	replace(0, -1);
	replace(1, -1);
	start(f, CONSOLE_STDIO, NULL);
	guest_print(f, "nowhere");
	assert_true(loop_is_idle(f));
	assert_int_equal(console_counter(f, "dropped"), 7);
}

static void test_none(void **state)
{
	struct fixture *f = *state;

	start(f, CONSOLE_NONE, NULL);
	guest_print(f, "nowhere");
	assert_true(loop_is_idle(f));
	assert_null(console_pty_name(f->console));
	assert_int_equal(console_counter(f, "bytes_out"), 7);
	assert_int_equal(console_counter(f, "dropped"), 0);
}

static void test_file_is_appended_to(void **state)
{
	struct fixture *f = *state;
	char path[] = "/tmp/volt-console-XXXXXX", got[32] = {0};
	struct stat st;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "before ", 7), 7);
	start(f, CONSOLE_FILE, path);
	guest_print(f, "after");
	stop(f);
	assert_int_equal(pread(fd, got, sizeof(got), 0), 12);
	assert_string_equal(got, "before after");
	(void)close(fd);
	(void)unlink(path);

	start(f, CONSOLE_FILE, path); /* made, and nobody else's to read */
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	(void)unlink(path);
}

static void test_file_refused(void **state)
{
	struct fixture *f = *state;
	struct verr e = VERR_INIT;

	assert_fault(console_open_kind(f, CONSOLE_FILE, "/nowhere/at/all", &e), &e, VERR_INVALID,
		     "/nowhere/at/all");
	assert_null(f->console);
}

static void test_fifo_without_a_reader(void **state)
{
	struct fixture *f = *state;
	char path[64], got[8] = {0};
	int fd;

	(void)snprintf(path, sizeof(path), "/tmp/volt-console-%d", (int)getpid());
	assert_int_equal(mkfifo(path, 0600), 0);
	start(f, CONSOLE_FILE, path);
	guest_print(f, "early");
	assert_true(loop_is_idle(f));
	assert_int_equal(console_counter(f, "dropped"), 0);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* it comes late and reads all */
	assert_true(fd >= 0);
	assert_int_equal(read(fd, got, sizeof(got)), 5);
	assert_string_equal(got, "early");
	(void)close(fd);
	for (unsigned i = 0; i < FLOOD; i++)
		console_send(f->console, 'x');
	assert_true(loop_is_idle(f));
	assert_true(console_counter(f, "dropped") > 0);
	(void)unlink(path);
}

/* A full disk costs what did not fit, and no more. */
static void test_device_full(void **state)
{
	struct fixture *f = *state;

	start(f, CONSOLE_FILE, "/dev/full");
	guest_print(f, "x");
	assert_true(loop_is_idle(f));
	guest_print(f, "yz");
	assert_true(loop_is_idle(f));
	assert_int_equal(console_counter(f, "dropped"), 3);
}

#define THREAD_BYTES 100000

static void *print_much(void *arg)
{
	struct fixture *f = arg;

	for (unsigned i = 0; i < THREAD_BYTES; i++)
		serial_pio.out(f->serial, 0, (uint8_t)(i % 251));
	return NULL;
}

/* A vCPU prints while the loop drains: every byte arrives, in order. */
static void test_output_from_another_thread(void **state)
{
	struct fixture *f = *state;
	char path[] = "/tmp/volt-console-XXXXXX";
	int fd = mkstemp(path);
	pthread_t vcpu;
	uint8_t *got;

	assert_true(fd >= 0);
	start(f, CONSOLE_FILE, path);
	(void)unlink(path);
	assert_int_equal(pthread_create(&vcpu, NULL, print_much, f), 0);
	run_for(f, 100);
	assert_int_equal(pthread_join(vcpu, NULL), 0);
	assert_int_equal(console_counter(f, "dropped"), 0);
	stop(f);
	got = malloc(THREAD_BYTES + 1);
	assert_non_null(got);
	assert_int_equal(pread(fd, got, THREAD_BYTES + 1, 0), THREAD_BYTES);
	for (unsigned i = 0; i < THREAD_BYTES; i++)
		if (got[i] != i % 251)
			fail_msg("byte %u is %u", i, got[i]);
	free(got);
	(void)close(fd);
}

struct reader {
	struct fixture *f;
	struct loop_source done;
};

static void on_done(void *arg)
{
	loop_stop(((struct reader *)arg)->f->loop);
}

static void *read_much(void *arg)
{
	struct reader *r = arg;

	while (r->f->ngot < MUCH)
		guest_drain(r->f);
	loop_wake(&r->done);
	return NULL;
}

/* A vCPU takes input while the loop brings more. */
static void test_input_to_another_thread(void **state)
{
	struct fixture *f = *state;
	struct reader reader = {.f = f, .done = LOOP_SOURCE_INIT};
	struct verr e = VERR_INIT;
	char text[MUCH];
	pthread_t vcpu;
	int ends[2];

	fill(text);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], text, MUCH), MUCH);
	replace(0, ends[0]);
	replace(1, null_output());
	start(f, CONSOLE_STDIO, NULL);
	assert_ok(loop_wake_init(&reader.done, f->loop, on_done, &reader, &e), &e);
	assert_int_equal(pthread_create(&vcpu, NULL, read_much, &reader), 0);
	assert_ok(loop_run(f->loop, &e), &e);
	assert_int_equal(pthread_join(vcpu, NULL), 0);
	loop_source_deinit(&reader.done);
	assert_memory_equal(f->got, text, MUCH);
	(void)close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_input_from_a_pipe),
		TEST(test_input_waits_for_room),
		TEST(test_input_waits_for_the_guest),
		TEST(test_input_from_a_file),
		TEST(test_no_input),
		TEST(test_output_to_a_pipe),
		TEST(test_socket),
		TEST(test_blocked_reader),
		TEST(test_reader_has_gone),
		TEST(test_stdout_closed),
		TEST(test_none),
		TEST(test_file_is_appended_to),
		TEST(test_file_refused),
		TEST(test_fifo_without_a_reader),
		TEST(test_device_full),
		TEST(test_output_from_another_thread),
		TEST(test_input_to_another_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
