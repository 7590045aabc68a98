/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/signals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void requests_of_the_usual_inits(void **state)
{
	static const struct {
		int signo;
		enum signal_action action;
	} wanted[] = {
		{SIGINT, SIGNAL_POWER_OFF},  {SIGTERM, SIGNAL_RESTART},
		{SIGUSR1, SIGNAL_POWER_OFF}, {SIGUSR2, SIGNAL_POWER_OFF},
		{SIGPWR, SIGNAL_POWER_OFF},  {37, SIGNAL_POWER_OFF},
		{38, SIGNAL_POWER_OFF},      {39, SIGNAL_RESTART},
		{40, SIGNAL_RESTART},        {SIGCHLD, SIGNAL_REAP},
		{SIGHUP, SIGNAL_FORWARD},    {SIGQUIT, SIGNAL_FORWARD},
		{SIGIO, SIGNAL_INITCTL},     {SIGWINCH, SIGNAL_FORWARD},
		{SIGCONT, SIGNAL_FORWARD},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		assert_int_equal(signals_action(wanted[i].signo), wanted[i].action);
}

static void all_others_are_ignored(void **state)
{
	static const int others[] = {0,  SIGALRM, SIGPIPE, SIGTSTP, SIGTTIN, SIGTTOU,
				     34, 41,      64,      65,      -1};

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(signals_action(others[i]), SIGNAL_IGNORE);
}

static void blocked_ones_wait_and_come_one_by_one(void **state)
{
	sigset_t before, mask;

	(void)state;
	sigprocmask(SIG_SETMASK, NULL, &before);
	signals_block();
	sigprocmask(SIG_SETMASK, NULL, &mask);
	assert_true(sigismember(&mask, SIGTERM));
	assert_true(sigismember(&mask, SIGCHLD));
	assert_false(sigismember(&mask, SIGSEGV));
	raise(SIGUSR1);
	raise(SIGCHLD);
	int first = signals_wait();
	int second = signals_wait();
	assert_int_equal(first + second, SIGUSR1 + SIGCHLD);
	signals_wait_child(1);
	signals_unblock();
	sigprocmask(SIG_SETMASK, NULL, &mask);
	assert_false(sigismember(&mask, SIGTERM));
	sigprocmask(SIG_SETMASK, &before, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_of_the_usual_inits),
		cmocka_unit_test(all_others_are_ignored),
		cmocka_unit_test(blocked_ones_wait_and_come_one_by_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
