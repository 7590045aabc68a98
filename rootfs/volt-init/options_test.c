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

static void values_are_taken(void **state)
{
	char line[] = "root=/dev/vda rootfstype=ext4,xfs rootflags=noatime,data=journal rw init=/a "
		      "volt.hostname=box volt.user=1:2 volt.cwd=/srv \"volt.env.A=b c\" "
		      "volt.env.B= volt.env.=x volt.env.C -- root=/dev/vdb";
	struct options options;

	(void)state;
	options_parse(&options, line);
	assert_string_equal(options.root, "/dev/vda");
	assert_string_equal(options.rootfstype, "ext4,xfs");
	assert_string_equal(options.rootflags, "noatime,data=journal");
	assert_string_equal(options.init, "/a");
	assert_string_equal(options.hostname, "box");
	assert_string_equal(options.user, "1:2");
	assert_string_equal(options.cwd, "/srv");
	assert_int_equal(options.mode, ROOT_RW);
	assert_int_equal(options.envc, 2);
	assert_string_equal(options.env[0], "A=b c");
	assert_string_equal(options.env[1], "B=");
}

static void last_one_counts(void **state)
{
	char line[] = "root=a rw root=b ro xroot=c roo";
	struct options options;

	(void)state;
	options_parse(&options, line);
	assert_string_equal(options.root, "b");
	assert_int_equal(options.mode, ROOT_RO);
	assert_null(options.init);
}

static void addresses_are_taken(void **state)
{
	char line[] =
		"volt.ip=a,b volt.ip.eth1=c=d volt.ip volt.ipx=e volt.ip.=f volt.ip.eth2 volt.ip=";
	struct options options;

	(void)state;
	options_parse(&options, line);
	assert_int_equal(options.ipc, 3);
	assert_null(options.ip[0].interface);
	assert_string_equal(options.ip[0].value, "a,b");
	assert_string_equal(options.ip[1].interface, "eth1");
	assert_string_equal(options.ip[1].value, "c=d");
	assert_null(options.ip[2].interface);
	assert_string_equal(options.ip[2].value, "");
}

static void not_more_addresses_than_there_is_room_for(void **state)
{
#define FOUR "volt.ip=1 volt.ip=1 volt.ip=1 volt.ip=1 "
	char line[] = FOUR FOUR FOUR FOUR FOUR;
	struct options options;

	(void)state;
	_Static_assert(OPTIONS_IP < 20, "there are more here");
	options_parse(&options, line);
	assert_int_equal(options.ipc, OPTIONS_IP);
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
		cmocka_unit_test(values_are_taken),
		cmocka_unit_test(last_one_counts),
		cmocka_unit_test(addresses_are_taken),
		cmocka_unit_test(not_more_addresses_than_there_is_room_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
