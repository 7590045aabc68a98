/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Linux guest's program for tests of what a flush promises: it writes records and says which of
 * them are durable.
 *
 *	records ROUNDS MOST FILE...
 *
 * Each FILE (or disk) has a writer, all at once. Writer W appends, ROUNDS times (0: for ever), one
 * to MOST (4 or less) records of 4 KiB to its file, flushes, and only then prints "ack W N": its
 * records 0 to N-1 are durable. A record is its writer and its number, two 32-bit numbers, over and
 * over. A disk is written from its start. An error is printed ("error W N ERRNO"), and ends the
 * writer.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define RECORD 4096
#define MOST 4U

static uint32_t buffer[MOST * RECORD / sizeof(uint32_t)];

static void fill(uint32_t writer, uint32_t first, uint32_t count)
{
	uint32_t *at = buffer;

	for (uint32_t n = first; n < first + count; n++)
		for (size_t i = 0; i < RECORD / (2 * sizeof(uint32_t)); i++) {
			*at++ = writer;
			*at++ = n;
		}
}

/* One line is one write, so that writers' lines do not mix. */
static void say(const char *what, uint32_t writer, uint32_t n, int error)
{
	char line[64];
	int len = snprintf(line, sizeof(line), "%s %u %u", what, writer, n);

	if (error != 0)
		len += snprintf(line + len, sizeof(line) - (size_t)len, " %d", error);
	line[len++] = '\n';
	if (write(STDOUT_FILENO, line, (size_t)len) != len)
		_exit(3);
}

static int append(int fd, uint32_t writer, uint32_t first, uint32_t count)
{
	size_t len = (size_t)count * RECORD;
	ssize_t n;

	fill(writer, first, count);
	n = pwrite(fd, buffer, len, (off_t)first * RECORD);
	if (n >= 0 && (size_t)n != len)
		errno = ENOSPC;
	return n < 0 || (size_t)n != len || fdatasync(fd) < 0 ? errno : 0;
}

static int run(uint32_t writer, uint32_t rounds, uint32_t most, const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644), error = fd < 0 ? errno : 0;
	uint32_t n = 0;

	for (uint32_t round = 0; error == 0 && (rounds == 0 || round < rounds); round++) {
		uint32_t count = 1 + (round + writer) % most;

		error = append(fd, writer, n, count);
		if (error == 0) {
			n += count;
			say("ack", writer, n, 0);
		}
	}
	if (error != 0)
		say("error", writer, n, error);
	return error != 0;
}

int main(int argc, char **argv)
{
	uint32_t rounds = argc > 3 ? (uint32_t)strtoul(argv[1], NULL, 10) : 0;
	uint32_t most = argc > 3 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
	int status, failed = 0;

	if (most == 0 || most > MOST)
		return 2;
	for (uint32_t w = 0; w < (uint32_t)argc - 3; w++)
		if (fork() == 0)
			_exit(run(w, rounds, most, argv[3 + w]));
	while (wait(&status) >= 0)
		failed |= status != 0;
	return failed;
}
