/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* What wait() gives for a process that ends so. */
static int wait_status(int exit_status, int signo)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (signo)
			raise(signo);
		_exit(exit_status);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void exit_statuses_pass(void **state)
{
	static const int all[] = {0, 1, 124, 125, 126, 127, 128, 255};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		assert_int_equal(status_from_wait(wait_status(all[i], 0)), all[i]);
}

static void signals_count_from_128(void **state)
{
	(void)state;
	assert_int_equal(status_from_wait(wait_status(0, SIGKILL)), 137);
	assert_int_equal(status_from_wait(wait_status(0, SIGTERM)), 143);
	assert_int_equal(status_from_wait(wait_status(0, 40)), 168);
}

static void exec_fails_as_in_a_shell(void **state)
{
	(void)state;
	assert_int_equal(status_from_exec(ENOENT), 127);
	assert_int_equal(status_from_exec(ENOTDIR), 127);
	assert_int_equal(status_from_exec(EACCES), 126);
	assert_int_equal(status_from_exec(ENOEXEC), 126);
	assert_int_equal(status_from_exec(E2BIG), 126);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exit_statuses_pass),
		cmocka_unit_test(signals_count_from_128),
		cmocka_unit_test(exec_fails_as_in_a_shell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
