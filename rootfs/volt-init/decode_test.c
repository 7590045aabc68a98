/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/decode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/workload.h"

struct fixture {
	struct workload workload;
	struct why why;
	char word[VOLT_CMDLINE_SIZE];
};

static int set_up(void **state)
{
	struct fixture *f = malloc(sizeof(*f));

	if (!f)
		return -1;
	workload_init(&f->workload);
	f->why.text[0] = '\0';
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	free(*state);
	return 0;
}

static int decode(struct fixture *f, const char *word)
{
	assert_true(strlen(word) < sizeof(f->word));
	memcpy(f->word, word, strlen(word) + 1);
	return decode_word(f->word, &f->workload, &f->why);
}

static void plain_word_is_one_argument(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(decode(f, "az09" VOLT_WORKLOAD_PLAIN), 0);
	assert_int_equal(f->workload.argc, 1);
	assert_string_equal(f->workload.argv[0], "az09" VOLT_WORKLOAD_PLAIN);
	assert_null(f->workload.argv[1]);
}

static void nul_separates(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(decode(f, "echo%00hello%20world%00"), 0);
	assert_int_equal(f->workload.argc, 3);
	assert_string_equal(f->workload.argv[0], "echo");
	assert_string_equal(f->workload.argv[1], "hello world");
	assert_string_equal(f->workload.argv[2], "");
}

static void empty_arguments_stay(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(decode(f, "%00%00a"), 0);
	assert_int_equal(f->workload.argc, 3);
	assert_string_equal(f->workload.argv[0], "");
	assert_string_equal(f->workload.argv[1], "");
	assert_string_equal(f->workload.argv[2], "a");
}

static void empty_word_is_an_empty_argument(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(decode(f, ""), 0);
	assert_int_equal(f->workload.argc, 1);
	assert_string_equal(f->workload.argv[0], "");
}

static void either_case_and_every_byte(void **state)
{
	struct fixture *f = *state;
	char word[3 * 255 + 1];
	char *at = word;

	for (unsigned byte = 1; byte < 256; byte++)
		at += snprintf(at, 4, byte % 2 ? "%%%02x" : "%%%02X", byte);
	assert_int_equal(decode(f, word), 0);
	assert_int_equal(f->workload.argc, 1);
	assert_int_equal(strlen(f->workload.argv[0]), 255);
	for (int byte = 1; byte < 256; byte++)
		assert_int_equal((unsigned char)f->workload.argv[0][byte - 1], byte);
}

static void words_append(void **state)
{
	struct fixture *f = *state;
	char second[] = "b%00c";

	assert_int_equal(decode(f, "a"), 0);
	assert_int_equal(decode_word(second, &f->workload, &f->why), 0);
	assert_int_equal(f->workload.argc, 3);
	assert_string_equal(f->workload.argv[2], "c");
}

static void cut_off_escapes_are_refused(void **state)
{
	static const struct {
		const char *word;
		const char *why;
	} cases[] = {
		{"%", "offset 0: % without two hexadecimal digits"},
		{"a%4", "offset 1: % without two hexadecimal digits"},
		{"a%4g", "offset 1: % without two hexadecimal digits"},
		{"ab%%41", "offset 2: % without two hexadecimal digits"},
		{"%41%", "offset 3: % without two hexadecimal digits"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture *f = *state;

		workload_init(&f->workload);
		assert_int_equal(decode(f, cases[i].word), -1);
		assert_string_equal(f->why.text, cases[i].why);
	}
}

static void too_many_are_refused(void **state)
{
	struct fixture *f = *state;
	char word[] = "%00%00%00";

	f->workload.argc = WORKLOAD_ARGS - 1;
	assert_int_equal(decode_word(word, &f->workload, &f->why), -1);
	assert_string_equal(f->why.text, "more than 1024 arguments");
	assert_int_equal(f->workload.argc, WORKLOAD_ARGS);
	assert_null(f->workload.argv[WORKLOAD_ARGS]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(plain_word_is_one_argument),  TEST(nul_separates),
		TEST(empty_arguments_stay),        TEST(empty_word_is_an_empty_argument),
		TEST(either_case_and_every_byte),  TEST(words_append),
		TEST(cut_off_escapes_are_refused), TEST(too_many_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
