/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/hostname.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

static void name_is_the_first_line_with_one(void **state)
{
	static const struct {
		const char *text;
		const char *name;
	} cases[] = {
		{"box\n", "box"},
		{"box", "box"},
		{"# ours\n\n \t\r\n  box.example \t# it\r\nother\n", "box.example"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[128];

		(void)snprintf(text, sizeof(text), "%s", cases[i].text);
		const char *name = hostname_parse(text);
		assert_non_null(name);
		assert_string_equal(name, cases[i].name);
	}
}

static void there_may_be_none(void **state)
{
	char empty[] = "";
	char comments[] = "# box\n\n   \n#";

	(void)state;
	assert_null(hostname_parse(empty));
	assert_null(hostname_parse(comments));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(name_is_the_first_line_with_one),
		cmocka_unit_test(there_may_be_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
