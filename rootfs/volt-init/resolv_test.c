/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/resolv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define ONE "nameserver 10.0.0.1\n"
#define TWO "nameserver 10.0.0.22\n"
#define LONG "nameserver 10.0.0.1\nnameserver 10.0.0.4\n"

static void lines_take_their_place(void **state)
{
	static const struct {
		const char *before, *old, *new, *after; /* no "after": false */
	} rows[] = {
		{ONE, ONE, TWO, TWO},
		{ONE TWO, ONE, LONG, LONG TWO},
		{TWO ONE, ONE, LONG, TWO LONG},
		{LONG TWO, LONG, ONE, ONE TWO},
		{"# " ONE ONE, ONE, TWO, "# " ONE TWO},
		{"# " ONE, ONE, TWO, NULL},
		{"nameserver 10.0.0.12\n", ONE, TWO, NULL},
		{"", ONE, TWO, NULL},
	};
	char text[RESOLV_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)strcpy(text, rows[i].before);
		assert_int_equal(resolv_replace(text, rows[i].old, rows[i].new),
				 rows[i].after != NULL);
		assert_string_equal(text, rows[i].after ? rows[i].after : rows[i].before);
	}
}

static void what_gets_too_long_is_left_alone(void **state)
{
	char text[RESOLV_MAX];

	(void)state;
	memset(text, '#', sizeof(text));
	memcpy(text, ONE, strlen(ONE));
	text[RESOLV_MAX - 1] = 0;
	assert_false(resolv_replace(text, ONE, TWO));
	text[RESOLV_MAX - 2] = 0;
	assert_true(resolv_replace(text, ONE, TWO));
	assert_int_equal(strlen(text), RESOLV_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_take_their_place),
		cmocka_unit_test(what_gets_too_long_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
