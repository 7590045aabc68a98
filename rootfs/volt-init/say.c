/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/say.h"

#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* How long a console that takes nothing (a monitor that is stuck, Ctrl-S) may hold up one line. */
#define SAY_PATIENCE_MS 200

/* A name that a user chose may hold anything; the line it stands in stays one line. */
static void clean(char *text)
{
	for (; *text; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte < 0x20 || byte == 0x7f)
			*text = '?';
	}
}

/*
 * A descriptor of its own and non-blocking, opened for each line: lines are rare, and the console
 * that the workload shares must never make PID 1 wait for ever.
 */
static void put(const char *line, size_t size)
{
	int console = open("/dev/console", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	int fd = console < 0 ? STDERR_FILENO : console;

	while (size > 0) {
		struct pollfd ready = {.fd = fd, .events = POLLOUT};

		if (poll(&ready, 1, SAY_PATIENCE_MS) <= 0)
			break;
		ssize_t written = write(fd, line, size);
		if (written <= 0)
			break;
		line += written;
		size -= (size_t)written;
	}
	if (console >= 0)
		close(console);
}

__attribute__((format(printf, 2, 0))) static void say_line(const char *prefix, const char *format,
							   va_list args)
{
	char line[512];
	int head = snprintf(line, sizeof(line), "volt-init: %s", prefix);

	if (head < 0)
		return;
	int body = vsnprintf(line + head, sizeof(line) - (size_t)head - 1, format, args);
	if (body < 0)
		return;
	clean(line);

	size_t size = (size_t)head + (size_t)body;
	if (size > sizeof(line) - 2)
		size = sizeof(line) - 2;
	line[size] = '\n';
	put(line, size + 1);
}

void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say_line("", format, args);
	va_end(args);
}

void say_step(bool on, const char *format, ...)
{
	struct timespec now;
	char prefix[32];
	va_list args;

	if (!on)
		return;
	clock_gettime(CLOCK_BOOTTIME, &now);
	(void)snprintf(prefix, sizeof(prefix), "[%lld.%06ld] ", (long long)now.tv_sec,
		       now.tv_nsec / 1000);
	va_start(args, format);
	say_line(prefix, format, args);
	va_end(args);
}
