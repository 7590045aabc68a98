/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Linux guest's program that must not notice that its machine is saved and goes on elsewhere: it
 * looks at its clocks, writes records to a file and reads them again past the page cache, and
 * exchanges numbers over TCP, by a connection for each ADDRESS, all the while. A line on stdin makes it print a
 * line, with a number of exchanges for each connection:
 *
 *	load records=N back=N bad=N exchanged0=N exchanged1=N... wall=SECONDS.NANOSECONDS
 *
 * with what went wrong as counts: a clock that went back; a record or number that is not what it
 * was. The line "q" ends it; a line "!COMMAND" is for the shell first. Connection N stays on the
 * processor N, of those there are: a NIC with as many queues sends by them all.
 *
 *	load FILE [ADDRESS PORT]...
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
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

#define CONNECTIONS 8

struct connection {
	int number;
	struct sockaddr_in server;
	atomic_long exchanged;
};

static atomic_long records, back, bad;
static const char *path;
static struct connection connections[CONNECTIONS];
static int count;

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

static void stay(int number)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET((size_t)(number % sysconf(_SC_NPROCESSORS_ONLN)), &one);
	(void)sched_setaffinity(0, sizeof(one), &one);
}

static void *exchange(void *arg)
{
	struct connection *c = arg;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	uint64_t answer;

	stay(c->number);
	while (connect(fd, (struct sockaddr *)&c->server, sizeof(c->server)) < 0)
		usleep(100000);
	for (uint64_t n = 0;; n++) {
		if (write(fd, &n, sizeof(n)) != sizeof(n) ||
		    recv(fd, &answer, sizeof(answer), MSG_WAITALL) != sizeof(answer) ||
		    answer != n) {
			bad++;
			return NULL;
		}
		c->exchanged++;
	}
}

static void say(void)
{
	struct timespec t;

	printf("load records=%ld back=%ld bad=%ld", records, back, bad);
	for (int i = 0; i < count; i++)
		printf(" exchanged%d=%ld", i, connections[i].exchanged);
	clock_gettime(CLOCK_REALTIME, &t);
	printf(" wall=%lld.%09ld\n", (long long)t.tv_sec, t.tv_nsec);
	fflush(stdout);
}

static void start_connection(const char *address, const char *port)
{
	struct connection *c = &connections[count];
	pthread_t thread;

	c->number = count++;
	c->server.sin_family = AF_INET;
	c->server.sin_port = htons((uint16_t)atoi(port));
	inet_pton(AF_INET, address, &c->server.sin_addr);
	pthread_create(&thread, NULL, exchange, c);
}

int main(int argc, char **argv)
{
	pthread_t thread;
	char line[256];

	if (argc < 2 || argc % 2 != 0 || argc > 2 + 2 * CONNECTIONS)
		return 1;
	path = argv[1];
	for (int i = 2; i < argc; i += 2)
		start_connection(argv[i], argv[i + 1]);
	pthread_create(&thread, NULL, watch_clocks, NULL);
	pthread_create(&thread, NULL, write_records, NULL);
	say();
	while (fgets(line, sizeof(line), stdin) != NULL && *line != 'q') {
		if (*line == '!' && system(line + 1) != 0)
			bad++;
		say();
	}
	say();
	return 0;
}
