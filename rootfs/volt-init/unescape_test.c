/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/unescape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

static void octal_digits_are_a_byte(void **state)
{
	static const struct {
		const char *text;
		const char *plain;
	} cases[] = {
		{"", ""},
		{"a\\040b\\011", "a b\t"},
		{"\\134040", "\\040"},
		{"\\04 \\8 \\", "\\04 \\8 \\"},
		{"\\303\\274", "\xc3\xbc"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[64];

		(void)snprintf(text, sizeof(text), "%s", cases[i].text);
		unescape(text);
		assert_string_equal(text, cases[i].plain);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(octal_digits_are_a_byte)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
