/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/pool/template.h"

#include "base/own.h"
#include "base/test.h"

static void expect(const char *text, unsigned number, const char *wanted)
{
	auto_free char *filled = template_fill(text, number);

	assert_non_null(filled);
	assert_string_equal(filled, wanted);
}

static void test_every_mark_becomes_the_number(void **state)
{
	(void)state;
	expect("", 7, "");
	expect("tap=pool0", 7, "tap=pool0");
	expect("{n}", 0, "0");
	expect("id=a{n},tap=pool{n}", 4095, "id=a4095,tap=pool4095");
	expect("{{n}}{n", 1, "{1}{n");
}

static void test_what_varies(void **state)
{
	(void)state;
	assert_true(template_varies("tap=pool{n}"));
	assert_false(template_varies("tap={ n}"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_mark_becomes_the_number),
		cmocka_unit_test(test_what_varies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
