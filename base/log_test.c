/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/own.h"
#include "base/test.h"
#include "base/thread.h"

struct fixture {
	int reader, writer;
	char line[4096];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int ends[2];

	assert_non_null(f);
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	f->reader = ends[0];
	f->writer = ends[1];
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	log_setup(&(struct log_options){.level = LOG_WARN, .fd = STDERR_FILENO});
	fd_close(&f->reader);
	fd_close(&f->writer);
	free(f);
	return 0;
}

static void log_as(struct fixture *f, enum log_format format, const char *id)
{
	log_setup(&(struct log_options){
		.level = LOG_INFO, .format = format, .fd = f->writer, .id = id});
}

/* All that has been logged; always whole lines. */
static const char *logged(struct fixture *f)
{
	ssize_t n = read(f->reader, f->line, sizeof(f->line) - 1);

	f->line[n > 0 ? n : 0] = '\0';
	if (n > 0) {
		assert_int_equal(strlen(f->line), n);
		assert_int_equal(f->line[n - 1], '\n');
	}
	return f->line;
}

static void test_text_line(void **state)
{
	struct fixture *f = *state;
	const char *line;

	log_as(f, LOG_TEXT, NULL);
	log_info(LOG_KVM, "%d vCPUs", 3);
	line = logged(f);
	/* 2026-01-31T23:59:59.123456Z */
	assert_int_equal(strspn(line, "0123456789-T:."), 26);
	assert_string_equal(line + 26, "Z info  kvm: 3 vCPUs\n");
	log_as(f, LOG_TEXT, "vm1");
	log_error(LOG_MAIN, "gone");
	assert_string_equal(logged(f) + 26, "Z error vm1 main: gone\n");
}

static void test_firecracker_line(void **state)
{
	struct fixture *f = *state;
	struct log_options options = {.level = LOG_INFO,
				      .format = LOG_FIRECRACKER,
				      .fd = f->writer,
				      .show_level = true,
				      .show_origin = true};
	const int number = __LINE__ + 5;
	const char *line;
	char expected[96];

	log_setup(&options);
	log_warn(LOG_KVM, "%d vCPUs", 3);
	(void)snprintf(expected, sizeof(expected),
		       " [anonymous-instance:main:WARN:base/log_test.c:%d] 3 vCPUs\n", number);
	line = logged(f);
	/* 2026-01-31T23:59:59.123456789 */
	assert_int_equal(strspn(line, "0123456789-T:."), 29);
	assert_string_equal(line + 29, expected);

	options.show_level = options.show_origin = false;
	options.id = "vm1";
	log_setup(&options);
	thread_set_name("fc_vcpu 0");
	log_error(LOG_MAIN, "a\nb");
	assert_string_equal(logged(f) + 29, " [vm1:fc_vcpu 0] a\\x0ab\n");
	thread_set_name("main");
}

static void test_lines_of_a_module(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *module;
		bool passes;
	} cases[] = {{"base", true},     {"base::log_test", true},   {"base::log_test.c", true},
		     {"ba", true},       {"base::sys", false},       {"vmm", false},
		     {"base/log", true}, {"base::log_tester", false}};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		log_setup(&(struct log_options){.level = LOG_INFO,
						.format = LOG_FIRECRACKER,
						.fd = f->writer,
						.module = cases[i].module});
		log_info(LOG_MAIN, "x");
		assert_int_equal(*logged(f) != '\0', cases[i].passes);
	}
}

static void test_log_that_is_off(void **state)
{
	struct fixture *f = *state;

	log_setup(&(struct log_options){.level = LOG_DEBUG, .fd = f->writer, .off = true});
	log_error(LOG_MAIN, "x");
	assert_string_equal(logged(f), "");
}

static void test_json_line(void **state)
{
	struct fixture *f = *state;

	log_as(f, LOG_JSON, "vm1");
	log_warn(LOG_BOOT, "a \"quoted\" \\ word");
	assert_memory_equal(logged(f), "{\"time\":\"", 9);
	assert_string_equal(f->line + 9 + 27,
			    "\",\"level\":\"warn\",\"room\":\"boot\",\"id\":\"vm1\","
			    "\"text\":\"a \\\"quoted\\\" \\\\ word\"}\n");
}

static void test_levels(void **state)
{
	struct fixture *f = *state;

	log_as(f, LOG_TEXT, NULL);
	log_debug(LOG_MAIN, "not this");
	assert_string_equal(logged(f), "");
	assert_true(log_enabled(LOG_INFO));
	assert_false(log_enabled(LOG_DEBUG));
	log_setup(&(struct log_options){.level = LOG_DEBUG, .fd = f->writer});
	log_debug(LOG_MAIN, "but this");
	assert_non_null(strstr(logged(f), "but this"));
}

/* time() may lag behind by a tick. */
static time_t second(void)
{
	struct timespec now;

	assert_int_equal(clock_gettime(CLOCK_REALTIME, &now), 0);
	return now.tv_sec;
}

static void test_time_is_utc(void **state)
{
	struct fixture *f = *state;
	struct tm tm = {0};
	char want[32];
	time_t now;

	log_as(f, LOG_TEXT, NULL);
	do { /* the same second before and after */
		now = second();
		(void)logged(f);
		log_info(LOG_MAIN, "x");
	} while (second() != now);
	assert_non_null(gmtime_r(&now, &tm));
	assert_int_equal(strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%S.", &tm), 20);
	assert_memory_equal(logged(f), want, 20);
}

/* No text can forge a line, move a terminal's cursor or break JSON. */
static void test_control_characters(void **state)
{
	struct fixture *f = *state;

	log_as(f, LOG_TEXT, NULL);
	log_info(LOG_MAIN, "a\nb\033[2J\177c");
	assert_string_equal(strstr(logged(f), "main: "), "main: a\\x0ab\\x1b[2J\\x7fc\n");
	log_as(f, LOG_JSON, NULL);
	log_info(LOG_MAIN, "a\nb\033[2J\177c");
	assert_string_equal(strstr(logged(f), "text"), "text\":\"a\\u000ab\\u001b[2J\\u007fc\"}\n");
}

/* UTF-8 is passed on; what is not, and its control characters, are not. */
static void test_bytes_above_ascii(void **state)
{
	static const struct {
		const char *text, *plain, *json;
	} cases[] = {
		{"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
		 "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
		{"a\xff", "a\\xff", "a\\u00ff"},
		{"\xc3", "\\xc3", "\\u00c3"}, /* cut short */
		{"\xe2\x82z", "\\xe2\\x82z", "\\u00e2\\u0082z"},
		{"\xc2\x9b", "\\xc2\\x9b", "\\u00c2\\u009b"}, /* CSI of C1 */
		{"\xc0\xaf", "\\xc0\\xaf", "\\u00c0\\u00af"}, /* longer than needed */
		{"\xe0\x80\xaf", "\\xe0\\x80\\xaf", "\\u00e0\\u0080\\u00af"},
		{"\xed\xa0\x80", "\\xed\\xa0\\x80", "\\u00ed\\u00a0\\u0080"}, /* surrogate */
		{"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", "\\u00f4\\u0090\\u0080\\u0080"},
	};
	struct fixture *f = *state;
	char want[128];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		log_as(f, LOG_TEXT, NULL);
		log_info(LOG_MAIN, "%s", cases[i].text);
		(void)snprintf(want, sizeof(want), "main: %s\n", cases[i].plain);
		assert_string_equal(strstr(logged(f), "main: "), want);
		log_as(f, LOG_JSON, NULL);
		log_info(LOG_MAIN, "%s", cases[i].text);
		(void)snprintf(want, sizeof(want), "text\":\"%s\"}\n", cases[i].json);
		assert_string_equal(strstr(logged(f), "text"), want);
	}
}

/* Long texts, of every length and of characters that grow: whole lines, closed JSON. */
static void test_long_lines_are_cut(void **state)
{
	static const char *const fillers[] = {"x", "\n", "\"", "\xc3\xa9", "\xff"};
	struct fixture *f = *state;
	char id[VERR_TEXT * 4], text[1400];

	memset(id, 'i', sizeof(id) - 1);
	id[sizeof(id) - 1] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(fillers); i++) {
		for (size_t len = 0; len < 920; len++) {
			size_t step = strlen(fillers[i]);

			for (size_t at = 0; at < len; at++)
				text[at] = fillers[i][at % step];
			text[len] = '\0';
			log_as(f, LOG_JSON, NULL);
			log_info(LOG_MAIN, "%s", text);
			assert_non_null(strstr(logged(f), "\"}\n"));
			log_as(f, LOG_TEXT, NULL);
			log_info(LOG_MAIN, "%s", text);
			(void)logged(f);
		}
	}
	for (int format = LOG_TEXT; format <= LOG_JSON; format++) {
		log_as(f, (enum log_format)format, id);
		log_info(LOG_MAIN, "x");
		assert_true(strlen(logged(f)) < 2000);
	}
}

static void test_full_pipe_drops_and_counts(void **state)
{
	struct fixture *f = *state;
	uint64_t before = log_dropped(), now;
	char chunk[4096];
	ssize_t n;

	log_as(f, LOG_TEXT, NULL);
	memset(chunk, 'x', sizeof(chunk));
	while (write(f->writer, chunk, sizeof(chunk)) > 0)
		;
	errno = ERANGE;
	log_info(LOG_MAIN, "does not fit");
	assert_int_equal(errno, ERANGE);
	now = log_dropped();
	assert_int_equal(now - before, 26 + strlen("Z info  main: does not fit\n"));
	do
		n = read(f->reader, chunk, sizeof(chunk));
	while (n > 0);
	log_info(LOG_MAIN, "fits again");
	assert_non_null(strstr(logged(f), "fits again"));
	assert_int_equal(log_dropped(), now);
}

static void test_limit(void **state)
{
	struct fixture *f = *state;
	struct log_limit limit = {0}, other = {0};
	unsigned lines = 0;

	log_as(f, LOG_TEXT, NULL);
	for (int i = 0; i < 1000; i++)
		log_limited(LOG_INFO, LOG_SERIAL, &limit, "guest");
	log_limited(LOG_INFO, LOG_SERIAL, &other, "other");
	(void)logged(f);
	for (const char *at = f->line; (at = strstr(at, "guest\n")) != NULL; at++)
		lines++;
	assert_in_range(lines, LOG_LIMIT_BURST, 2 * LOG_LIMIT_BURST); /* a second may turn */
	assert_non_null(strstr(f->line, "other"));
}

/* Lines that nobody wants to see use up nothing: a guest could hide others behind them. */
static void test_limit_counts_what_is_written(void **state)
{
	struct fixture *f = *state;
	struct log_limit limit = {0};

	log_as(f, LOG_TEXT, NULL);
	for (int i = 0; i < 1000; i++)
		log_limited(LOG_DEBUG, LOG_SERIAL, &limit, "noise");
	log_limited(LOG_INFO, LOG_SERIAL, &limit, "wanted");
	assert_non_null(strstr(logged(f), "wanted"));
}

static void *log_much(void *arg)
{
	(void)arg;
	for (int i = 0; i < 200; i++)
		log_info(LOG_MAIN, "0123456789");
	return NULL;
}

/* Lines of several threads do not mix. */
static void test_threads(void **state)
{
	static const char want[] = "Z info  main: 0123456789\n";
	const size_t len = 26 + sizeof(want) - 1;
	struct fixture *f = *state;
	char got[64 * 400];
	pthread_t a, b;

	log_as(f, LOG_TEXT, NULL);
	assert_int_equal(pthread_create(&a, NULL, log_much, NULL), 0);
	assert_int_equal(pthread_create(&b, NULL, log_much, NULL), 0);
	assert_int_equal(pthread_join(a, NULL), 0);
	assert_int_equal(pthread_join(b, NULL), 0);
	assert_int_equal(read(f->reader, got, sizeof(got)), len * 400);
	for (size_t i = 0; i < 400; i++)
		assert_memory_equal(got + i * len + 26, want, sizeof(want) - 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_text_line),
		TEST(test_json_line),
		TEST(test_firecracker_line),
		TEST(test_lines_of_a_module),
		TEST(test_log_that_is_off),
		TEST(test_levels),
		TEST(test_time_is_utc),
		TEST(test_control_characters),
		TEST(test_bytes_above_ascii),
		TEST(test_long_lines_are_cut),
		TEST(test_full_pipe_drops_and_counts),
		TEST(test_limit),
		TEST(test_limit_counts_what_is_written),
		TEST(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
