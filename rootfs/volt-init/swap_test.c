/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/swap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/swap.h>

static void options_are_flags(void **state)
{
	static const struct {
		const char *options;
		int flags;
	} cases[] = {
		{"", 0},
		{"sw", 0},
		{"pri=5", SWAP_FLAG_PREFER | 5},
		{"sw,pri=0,x", SWAP_FLAG_PREFER},
		{"pri=-1,pri=40000,pri=99999999999999999999", 0},
		{"discard,pri=1", 0x10000 | SWAP_FLAG_PREFER | 1},
		{"discards", 0},
		{",", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(swap_flags(cases[i].options), cases[i].flags);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(options_are_flags)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
