/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/metrics.h"

#define LINE_MAX_BYTES 1200

static struct log_options sink = {.level = LOG_WARN, .format = LOG_TEXT, .fd = STDERR_FILENO};
static counter dropped;

static const char *const level_names[] = {"error", "warn", "info", "debug"};

static const char *const room_names[] = {
	[LOG_MAIN] = "main",       [LOG_CONFIG] = "config",   [LOG_KVM] = "kvm",
	[LOG_MEM] = "mem",         [LOG_ARCH] = "arch",       [LOG_BOOT] = "boot",
	[LOG_CONSOLE] = "console", [LOG_SERIAL] = "serial",   [LOG_I8042] = "i8042",
	[LOG_POWER] = "power",     [LOG_MACHINE] = "machine",
};
_Static_assert(ARRAY_LEN(room_names) == LOG_ROOMS, "every room has a name");

void log_setup(const struct log_options *options)
{
	sink = *options;
}

int log_enabled(enum log_level level)
{
	return level <= sink.level;
}

uint64_t log_dropped(void)
{
	return counter_get(&dropped);
}

int log_limit_pass(struct log_limit *limit)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	/* A race between two threads at the turn of a second lets a few more lines pass: harmless.
	 */
	if (atomic_load(&limit->second) != (uint64_t)now.tv_sec + 1) {
		atomic_store(&limit->second, (uint64_t)now.tv_sec + 1);
		atomic_store(&limit->lines, 0);
	}
	return atomic_fetch_add(&limit->lines, 1) < LOG_LIMIT_BURST;
}

/*
 * UTC as 2026-01-31T23:59:59.123456Z, by the proleptic Gregorian calendar. gmtime_r() would open
 * /etc/localtime, which a sandboxed thread must not.
 */
static void format_time(char out[static 40])
{
	struct timespec now;
	long long days, era, year, month;
	unsigned doe, yoe, doy, mp, day, secs;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	days = now.tv_sec / 86400 + 719468; /* since 0000-03-01 */
	secs = (unsigned)(now.tv_sec % 86400);
	era = days / 146097;
	doe = (unsigned)(days % 146097);
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	day = doy - (153 * mp + 2) / 5 + 1;
	month = mp < 10 ? mp + 3 : mp - 9;
	year = (long long)yoe + era * 400 + (month <= 2);
	(void)snprintf(out, 40, "%04u-%02u-%02uT%02u:%02u:%02u.%06uZ", (unsigned)year % 10000,
		       (unsigned)month % 100, day % 100, secs / 3600, secs / 60 % 60, secs % 60,
		       (unsigned)(now.tv_nsec / 1000) % 1000000);
}

/* Append `text` with control characters, and for JSON quotes and backslashes, made harmless. */
static size_t put_escaped(char *line, size_t used, size_t cap, const char *text, int json)
{
	for (; *text != '\0' && used + 8 < cap; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20 || c == 0x7f)
			used += (size_t)snprintf(line + used, cap - used,
						 json ? "\\u%04x" : "\\x%02x", c);
		else if (json && (c == '"' || c == '\\'))
			used += (size_t)snprintf(line + used, cap - used, "\\%c", c);
		else
			line[used++] = (char)c;
	}
	return used;
}

static size_t format_line(char *line, size_t cap, enum log_level level, enum log_room room,
			  const char *text)
{
	int json = sink.format == LOG_JSON;
	const char *id = sink.id;
	char when[40];
	size_t used;
	int n;

	format_time(when);
	if (json)
		n = snprintf(line, cap,
			     "{\"time\":\"%s\",\"level\":\"%s\",\"room\":\"%s\"%s%s%s,\"text\":\"",
			     when, level_names[level], room_names[room], id ? ",\"id\":\"" : "",
			     id ? id : "", id ? "\"" : "");
	else
		n = snprintf(line, cap, "%s %-5s %s%s%s: ", when, level_names[level], id ? id : "",
			     id ? " " : "", room_names[room]);
	used = put_escaped(line, (size_t)n, cap, text, json);
	used += (size_t)snprintf(line + used, cap - used, json ? "\"}\n" : "\n");
	return used;
}

void log_line(enum log_level level, enum log_room room, const char *fmt, ...)
{
	char text[LINE_MAX_BYTES - 300], line[LINE_MAX_BYTES];
	int saved = errno;
	va_list ap;
	size_t len;
	ssize_t n;

	if (!log_enabled(level))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	len = format_line(line, sizeof(line), level, room, text);
	do
		n = write(sink.fd, line, len);
	while (n < 0 && errno == EINTR);
	if (n < (ssize_t)len)
		counter_add(&dropped, n < 0 ? len : len - (size_t)n);
	errno = saved;
}
