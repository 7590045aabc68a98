/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sys.h"

#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "base/test.h"

struct fixture {
	char dir[32], path[64];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/volt-sys-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(f->path, sizeof(f->path), "%s/file", f->dir);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	(void)unlink(f->path);
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

static void write_file(const char *path, const char *text)
{
	auto_fd fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void assert_nonblocking_copy(int copy, int fd)
{
	assert_true(copy >= 0);
	assert_int_not_equal(copy, fd);
	assert_true(fcntl(copy, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(copy, F_GETFD) & FD_CLOEXEC);
}

/* Pipes and terminals get a description of their own: whoever shares the old one sees no change. */
static void test_nonblocking_pipe(void **state)
{
	struct verr e = VERR_INIT;
	int ends[2];
	char byte;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	auto_fd reader = ends[0], writer = ends[1];
	auto_fd in = sys_nonblocking(reader, O_RDONLY, &e);
	auto_fd out = sys_nonblocking(writer, O_WRONLY, &e);

	assert_nonblocking_copy(in, reader);
	assert_nonblocking_copy(out, writer);
	assert_int_equal(fcntl(reader, F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(fcntl(writer, F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(read(in, &byte, 1), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(write(out, "x", 1), 1);
	assert_int_equal(read(in, &byte, 1), 1);
}

static void test_nonblocking_terminal(void **state)
{
	struct verr e = VERR_INIT;
	int master, slave;

	(void)state;
	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	auto_fd m = master, s = slave;
	auto_fd copy = sys_nonblocking(s, O_RDONLY, &e);

	assert_nonblocking_copy(copy, s);
	assert_true(isatty(copy));
	assert_int_equal(fcntl(s, F_GETFL) & O_NONBLOCK, 0);
	(void)m;
}

/* The other end of a terminal cannot be opened again: /dev/ptmx would be a new one. */
static void test_nonblocking_terminal_master(void **state)
{
	struct verr e = VERR_INIT;
	int master, slave;
	char got[8];

	(void)state;
	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	auto_fd m = master, s = slave;
	auto_fd copy = sys_nonblocking(m, O_WRONLY, &e);

	assert_nonblocking_copy(copy, m);
	assert_int_equal(write(copy, "hi\n", 3), 3);
	assert_int_equal(read(s, got, sizeof(got)), 3);
}

static void test_nonblocking_socket(void **state)
{
	struct verr e = VERR_INIT;
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	auto_fd a = ends[0], b = ends[1];
	auto_fd copy = sys_nonblocking(a, O_RDONLY, &e);

	assert_nonblocking_copy(copy, a);
	(void)b;
}

static void test_nonblocking_file(void **state)
{
	struct fixture *f = *state;
	struct verr e = VERR_INIT;
	char got[8];

	write_file(f->path, "abcdef");
	auto_fd fd = open(f->path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, got, 2), 2);
	auto_fd copy = sys_nonblocking(fd, O_RDONLY, &e);

	/* A file never blocks; the copy goes on where the original is. */
	assert_true(copy >= 0);
	assert_int_equal(fcntl(copy, F_GETFL) & O_NONBLOCK, 0);
	assert_true(fcntl(copy, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(read(copy, got, sizeof(got)), 4);
	assert_memory_equal(got, "cdef", 4);
}

static void test_nonblocking_refused(void **state)
{
	struct verr e = VERR_INIT;

	(void)state;
	assert_fault(sys_nonblocking(987, O_RDONLY, &e), &e, VERR_HOST, "descriptor 987");
	assert_int_equal(e.os, EBADF);
}

static void test_output_file(void **state)
{
	struct fixture *f = *state;
	struct verr e = VERR_INIT;
	struct stat st;
	char got[16] = {0};

	for (int i = 0; i < 2; i++) { /* made, then appended to */
		auto_fd fd = sys_open_output(f->path, &e);

		assert_true(fd >= 0);
		assert_int_equal(write(fd, "line\n", 5), 5);
	}
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	auto_fd fd = open(f->path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, got, sizeof(got)), 10);
	assert_string_equal(got, "line\nline\n");
}

static void test_output_fifo(void **state)
{
	struct fixture *f = *state;
	struct verr e = VERR_INIT;

	assert_int_equal(mkfifo(f->path, 0600), 0);
	auto_fd fd = sys_open_output(f->path, &e); /* without a reader */

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

static void test_output_refused(void **state)
{
	struct fixture *f = *state;
	struct verr e = VERR_INIT, other = VERR_INIT;

	assert_fault(sys_open_output(f->dir, &e), &e, VERR_INVALID, f->dir);
	assert_int_equal(e.os, EISDIR);
	assert_fault(sys_open_output("/nowhere/file", &other), &other, VERR_INVALID,
		     "cannot write to /nowhere/file: No such file");
}

static void test_input_file(void **state)
{
	struct fixture *f = *state;
	struct verr e = VERR_INIT;
	uint64_t size = 0;
	char got[8] = {0};

	write_file(f->path, "abcdef");
	auto_fd fd = sys_open_input(f->path, &size, &e);

	assert_true(fd >= 0);
	assert_int_equal(size, 6);
	assert_ok(sys_pread_full(fd, got, 3, 2, &e), &e);
	assert_string_equal(got, "cde");
	assert_ok(sys_pread_full(fd, got, 0, 100, &e), &e);
	assert_fault(sys_pread_full(fd, got, 5, 4, &e), &e, VERR_INVALID,
		     "ends at offset 6, 3 bytes early");
}

static void test_input_refused(void **state)
{
	struct fixture *f = *state;
	struct verr e = VERR_INIT, dir = VERR_INIT, fifo = VERR_INIT, closed = VERR_INIT;
	uint64_t size;

	assert_fault(sys_open_input(f->path, &size, &e), &e, VERR_INVALID, f->path);
	assert_int_equal(e.os, ENOENT);
	assert_fault(sys_open_input(f->dir, &size, &dir), &dir, VERR_INVALID, "regular file");
	assert_int_equal(mkfifo(f->path, 0600), 0);
	/* It does not wait for a writer. */
	assert_fault(sys_open_input(f->path, &size, &fifo), &fifo, VERR_INVALID, "regular file");
	assert_fault(sys_pread_full(987, &size, 1, 0, &closed), &closed, VERR_HOST, "offset 0");
}

static void test_clock(void **state)
{
	uint64_t a = sys_now_ns(), b = sys_now_ns();

	(void)state;
	assert_true(a > 0 && b >= a);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nonblocking_pipe),
		TEST(test_nonblocking_terminal),
		TEST(test_nonblocking_terminal_master),
		TEST(test_nonblocking_socket),
		TEST(test_nonblocking_file),
		TEST(test_nonblocking_refused),
		TEST(test_output_file),
		TEST(test_output_fifo),
		TEST(test_output_refused),
		TEST(test_input_file),
		TEST(test_input_refused),
		TEST(test_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
