/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/initctl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

struct request {
	int32_t magic, command, runlevel, grace;
	char data[368];
};

static enum ending ask(int32_t magic, int32_t command, int32_t runlevel)
{
	struct request request = {.magic = magic, .command = command, .runlevel = runlevel};

	return initctl_parse(&request, sizeof(request));
}

static void runlevels_that_end(void **state)
{
	(void)state;
	assert_int_equal(ask(0x03091969, 1, '0'), ENDING_POWER_OFF);
	assert_int_equal(ask(0x03091969, 1, '6'), ENDING_RESTART);
}

static void all_else_is_nothing(void **state)
{
	struct request request = {.magic = 0x03091969, .command = 1, .runlevel = '0'};

	(void)state;
	assert_int_equal(ask(0x03091969, 1, '1'), ENDING_NONE);
	assert_int_equal(ask(0x03091969, 1, 0), ENDING_NONE);
	assert_int_equal(ask(0x03091969, 1, 6), ENDING_NONE);
	assert_int_equal(ask(0x03091969, 2, '0'), ENDING_NONE);
	assert_int_equal(ask(0x69190903, 1, '0'), ENDING_NONE);
	assert_int_equal(initctl_parse(&request, sizeof(request) - 1), ENDING_NONE);
	assert_int_equal(initctl_parse(&request, 0), ENDING_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runlevels_that_end),
		cmocka_unit_test(all_else_is_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
