/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/interrupt.h"

#include <fcntl.h>
#include <signal.h>

#include "base/test_files.h"

/* In this order: a signal that came is not forgotten. */
static void test_signals(void **state)
{
	struct verr e = VERR_INIT;
	int ends[2];

	(void)state;
	(void)signal(SIGHUP, SIG_IGN);
	interrupt_watch();
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_true(interrupt_wait(ends[0]));
	assert_int_equal(raise(SIGHUP), 0);
	assert_int_equal(interrupt_pending(), 0);
	assert_ok(interrupt_check(&e), &e);
	interrupt_obey();
	assert_int_equal(raise(SIGTERM), 0);
	assert_int_equal(interrupt_pending(), SIGTERM);
	assert_false(interrupt_wait(ends[0]));
	assert_fault(interrupt_check(&e), &e, VERR_HOST, "ended by signal 15");
	(void)close(ends[0]);
	(void)close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
