/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/metrics.h"
#include "base/thread.h"

#define LINE_MAX_BYTES 1200
#define ID_MAX_BYTES 64

static struct log_options sink = {.level = LOG_WARN, .format = LOG_TEXT, .fd = STDERR_FILENO};
static counter dropped, dropped_lines;

static const char *const level_names[] = {"error", "warn", "info", "debug"};

static const char *const room_names[] = {
	[LOG_MAIN] = "main",       [LOG_CONFIG] = "config",     [LOG_KVM] = "kvm",
	[LOG_MEM] = "mem",         [LOG_ARCH] = "arch",         [LOG_BOOT] = "boot",
	[LOG_CONSOLE] = "console", [LOG_SERIAL] = "serial",     [LOG_I8042] = "i8042",
	[LOG_POWER] = "power",     [LOG_VIRTIO] = "virtio",     [LOG_BLOCK] = "block",
	[LOG_NET] = "net",         [LOG_MACHINE] = "machine",   [LOG_API] = "api",
	[LOG_SANDBOX] = "sandbox", [LOG_SNAPSHOT] = "snapshot",
};
_Static_assert(ARRAY_LEN(room_names) == LOG_ROOMS, "every room has a name");

void log_setup(const struct log_options *options)
{
	sink = *options;
}

void log_rename(const char *id)
{
	sink.id = id;
}

int log_enabled(enum log_level level)
{
	return level <= sink.level && !sink.off;
}

uint64_t log_dropped(void)
{
	return counter_get(&dropped);
}

uint64_t log_dropped_lines(void)
{
	return counter_get(&dropped_lines);
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
 * UTC by the proleptic Gregorian calendar. gmtime_r() would open /etc/localtime, which a sandboxed
 * thread must not.
 */
struct stamp {
	unsigned year, month, day, hour, minute, second, ns;
};

static struct stamp stamp_now(void)
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
	return (struct stamp){.year = (unsigned)year % 10000,
			      .month = (unsigned)month % 100,
			      .day = day % 100,
			      .hour = secs / 3600,
			      .minute = secs / 60 % 60,
			      .second = secs % 60,
			      .ns = (unsigned)now.tv_nsec % 1000000000};
}

static void format_time(char out[static 40])
{
	struct stamp t = stamp_now();
	int len = snprintf(out, 40, "%04u-%02u-%02uT%02u:%02u:%02u.", t.year, t.month, t.day,
			   t.hour, t.minute, t.second);

	if (sink.format == LOG_FIRECRACKER)
		(void)snprintf(out + len, 40 - (size_t)len, "%09u", t.ns);
	else
		(void)snprintf(out + len, 40 - (size_t)len, "%06uZ", t.ns / 1000);
}

/*
 * The length of the UTF-8 sequence of two to four bytes at `s` (Unicode 15, table 3-7), or 0 where
 * none begins, or one of the control characters U+0080 to U+009F.
 */
static size_t utf8_length(const unsigned char *s)
{
	size_t len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	unsigned char low = 0x80, high = 0xbf;

	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	/* What the second byte may be keeps out overlong forms, surrogates and the undefined. */
	if (s[0] == 0xe0 || s[0] == 0xc2)
		low = 0xa0;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf4)
		high = 0x8f;
	if (s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

/* A line that is being put together, no NUL at its end; `end` leaves room for what closes it. */
struct line {
	char text[LINE_MAX_BYTES];
	size_t used, end;
};

#define LINE_CLOSE_BYTES 3 /* "}\n */

static void put_bytes(struct line *l, const char *bytes, size_t len)
{
	if (len > l->end - l->used) {
		l->end = l->used; /* nothing after what was cut */
		return;
	}
	memcpy(l->text + l->used, bytes, len);
	l->used += len;
}

static void put_plain(struct line *l, const char *text)
{
	put_bytes(l, text, strlen(text));
}

/* `text` with control characters, what is not UTF-8, and JSON's own characters made harmless. */
static void put_escaped(struct line *l, const char *text)
{
	int json = sink.format == LOG_JSON;
	char piece[8];

	for (size_t len = 1; *text != '\0'; text += len) {
		unsigned char c = (unsigned char)*text;

		len = c < 0x80 ? 1 : utf8_length((const unsigned char *)text);
		if (c < 0x20 || c == 0x7f || len == 0) {
			(void)snprintf(piece, sizeof(piece), json ? "\\u%04x" : "\\x%02x", c);
			put_plain(l, piece);
			len = 1;
		} else if (json && (c == '"' || c == '\\')) {
			(void)snprintf(piece, sizeof(piece), "\\%c", c);
			put_plain(l, piece);
		} else {
			put_bytes(l, text, len);
		}
	}
}

/* From the top of the tree, whatever the folder that the compiler ran in. */
static const char *source_of(const struct log_origin *origin)
{
	const char *file = origin->file;

	while (strncmp(file, "../", 3) == 0)
		file += 3;
	return file;
}

/* Is the file "vmm/api/conn.c" below the module "vmm::api"? */
static int is_below(const char *file, const char *module)
{
	while (*module != '\0') {
		if (strncmp(module, "::", 2) == 0 && *file == '/')
			module++;
		else if (*file != *module)
			return 0;
		module++;
		file++;
	}
	return 1;
}

static void put_firecracker_head(struct line *l, enum log_level level,
				 const struct log_origin *origin)
{
	static const char *const names[] = {"ERROR", "WARN", "INFO", "DEBUG"};
	char when[40], place[96];

	format_time(when);
	put_plain(l, when);
	put_plain(l, " [");
	put_escaped(l, sink.id != NULL ? sink.id : "anonymous-instance");
	put_plain(l, ":");
	put_plain(l, thread_name());
	if (sink.show_level) {
		put_plain(l, ":");
		put_plain(l, names[level]);
	}
	if (sink.show_origin) {
		(void)snprintf(place, sizeof(place), ":%s:%d", source_of(origin), origin->line);
		put_plain(l, place);
	}
	put_plain(l, "] ");
}

static void put_head(struct line *l, enum log_level level, enum log_room room)
{
	int json = sink.format == LOG_JSON;
	char when[40], head[96], id[ID_MAX_BYTES + 1];

	format_time(when);
	if (json)
		(void)snprintf(head, sizeof(head),
			       "{\"time\":\"%s\",\"level\":\"%s\",\"room\":\"%s\"", when,
			       level_names[level], room_names[room]);
	else
		(void)snprintf(head, sizeof(head), "%s %-5s ", when, level_names[level]);
	put_plain(l, head);
	if (sink.id != NULL) {
		(void)snprintf(id, sizeof(id), "%s", sink.id);
		put_plain(l, json ? ",\"id\":\"" : "");
		put_escaped(l, id);
		put_plain(l, json ? "\"" : " ");
	}
	put_plain(l, json ? ",\"text\":\"" : room_names[room]);
	put_plain(l, json ? "" : ": ");
}

void log_line_from(enum log_level level, const struct log_origin *origin, const char *fmt, ...)
{
	struct line l = {.end = sizeof(l.text) - LINE_CLOSE_BYTES};
	char text[LINE_MAX_BYTES - 300];
	int saved = errno;
	va_list ap;
	ssize_t n;

	if (!log_enabled(level) ||
	    (sink.module != NULL && !is_below(source_of(origin), sink.module)))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (sink.format == LOG_FIRECRACKER)
		put_firecracker_head(&l, level, origin);
	else
		put_head(&l, level, origin->room);
	put_escaped(&l, text);
	l.end = sizeof(l.text);
	put_plain(&l, sink.format == LOG_JSON ? "\"}\n" : "\n");
	do
		n = write(sink.fd, l.text, l.used);
	while (n < 0 && errno == EINTR);
	if (n < (ssize_t)l.used) {
		counter_add(&dropped, n < 0 ? l.used : l.used - (size_t)n);
		counter_add(&dropped_lines, 1);
	}
	errno = saved;
}
