/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static void words_are_cut_as_the_kernel_does(void **state)
{
	char line[] = "  a  \"b c\" d=\"e f\"\tg\"h\"i \"\" last\n";
	static const char *const words[] = {"a", "b c", "d=e f", "ghi", "", "last"};
	char *at = line;

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		char *word = options_word(&at);

		assert_non_null(word);
		assert_string_equal(word, words[i]);
	}
	assert_null(options_word(&at));
	assert_null(options_word(&at));
}

static void open_quote_ends_with_the_line(void **state)
{
	char line[] = "a \"b c";
	char *at = line;

	(void)state;
	assert_string_equal(options_word(&at), "a");
	assert_string_equal(options_word(&at), "b c");
	assert_null(options_word(&at));
}

static void workload_follows_the_dashes(void **state)
{
	char line[] = "root=/dev/vda quiet volt.debug -- a%00b c\n";
	struct options options;

	(void)state;
	options_parse(&options, line);
	assert_true(options.debug);
	assert_string_equal(options.workload, "a%00b c\n");
}

static void only_the_first_dashes_count(void **state)
{
	char line[] = "x -- a -- volt.debug";
	struct options options;

	(void)state;
	options_parse(&options, line);
	assert_false(options.debug);
	assert_string_equal(options.workload, "a -- volt.debug");
}

static void quoted_dashes_are_dashes_but_not_a_part(void **state)
{
	char first[] = "\"x -- y\" z";
	char second[] = "\"--\" a";
	struct options options;

	(void)state;
	options_parse(&options, first);
	assert_null(options.workload);
	options_parse(&options, second);
	assert_string_equal(options.workload, "a");
}

static void nothing_gives_nothing(void **state)
{
	char empty[] = "";
	char others[] = "quiet splash volt.debugger xvolt.debug";
	char nothing_after[] = "quiet --";
	struct options options;

	(void)state;
	options_parse(&options, empty);
	assert_null(options.workload);
	options_parse(&options, others);
	assert_false(options.debug);
	assert_null(options.workload);
	options_parse(&options, nothing_after);
	assert_non_null(options.workload);
	assert_null(options_word(&options.workload));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_cut_as_the_kernel_does),
		cmocka_unit_test(open_quote_ends_with_the_line),
		cmocka_unit_test(workload_follows_the_dashes),
		cmocka_unit_test(only_the_first_dashes_count),
		cmocka_unit_test(quoted_dashes_are_dashes_but_not_a_part),
		cmocka_unit_test(nothing_gives_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
