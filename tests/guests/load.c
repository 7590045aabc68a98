/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Linux guest's program that must not notice that its machine is saved and goes on elsewhere: it
 * looks at its clocks, writes records to a file and reads them again past the page cache, and
 * exchanges numbers over TCP, all the while. A line on stdin makes it print a line:
 *
 *	load records=N exchanged=N back=N bad=N wall=SECONDS.NANOSECONDS
 *
 * with what went wrong as counts: a clock that went back; a record or number that is not what it
 * was. The line "q" ends it.
 *
 *	load FILE [ADDRESS PORT]
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define RECORD 4096
#define RECORDS 512 /* in the file; then from its start again */

static atomic_long records, exchanged, back, bad;
static const char *path;
static struct sockaddr_in server;

static int64_t read_clock(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void *watch_clocks(void *arg)
{
	static const clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME,
					   CLOCK_REALTIME};
	int64_t last[4] = {0};

	(void)arg;
	for (;;) {
		for (int i = 0; i < 4; i++) {
			int64_t now = read_clock(clocks[i]);

			if (now < last[i])
				back++;
			last[i] = now;
		}
		usleep(2000);
	}
	return NULL;
}

static void fill(uint64_t *record, long number)
{
	for (int i = 0; i < RECORD / 8; i++)
		record[i] = (uint64_t)number * UINT64_C(0x9E3779B97F4A7C15) + (uint64_t)i;
}

/* The record before the last RECORDS/2 or so, from the disk. */
static void check(int fd, long number)
{
	static uint64_t found[RECORD / 8], wanted[RECORD / 8];
	off_t at = number % RECORDS * RECORD;

	posix_fadvise(fd, at, RECORD, POSIX_FADV_DONTNEED);
	fill(wanted, number);
	if (pread(fd, found, RECORD, at) != RECORD || memcmp(found, wanted, RECORD) != 0)
		bad++;
}

static void *write_records(void *arg)
{
	static uint64_t record[RECORD / 8];
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	(void)arg;
	for (long n = 0;; n++) {
		fill(record, n);
		if (fd < 0 || pwrite(fd, record, RECORD, n % RECORDS * RECORD) != RECORD ||
		    fdatasync(fd) < 0)
			bad++;
		if (n >= 8)
			check(fd, n - n % 8);
		records++;
	}
	return NULL;
}

static void *exchange(void *arg)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	uint64_t answer;

	(void)arg;
	while (connect(fd, (struct sockaddr *)&server, sizeof(server)) < 0)
		usleep(100000);
	for (uint64_t n = 0;; n++) {
		if (write(fd, &n, sizeof(n)) != sizeof(n) ||
		    recv(fd, &answer, sizeof(answer), MSG_WAITALL) != sizeof(answer) ||
		    answer != n) {
			bad++;
			return NULL;
		}
		exchanged++;
	}
}

static void say(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	printf("load records=%ld exchanged=%ld back=%ld bad=%ld wall=%lld.%09ld\n", records,
	       exchanged, back, bad, (long long)t.tv_sec, t.tv_nsec);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	pthread_t thread;
	char line[64];

	if (argc != 2 && argc != 4)
		return 1;
	path = argv[1];
	if (argc == 4) {
		server.sin_family = AF_INET;
		server.sin_port = htons((uint16_t)atoi(argv[3]));
		inet_pton(AF_INET, argv[2], &server.sin_addr);
		pthread_create(&thread, NULL, exchange, NULL);
	}
	pthread_create(&thread, NULL, watch_clocks, NULL);
	pthread_create(&thread, NULL, write_records, NULL);
	say();
	while (fgets(line, sizeof(line), stdin) != NULL && *line != 'q')
		say();
	say();
	return 0;
}
