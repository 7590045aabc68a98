/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/workload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static const char *value_of(const struct workload *workload, const char *name)
{
	for (size_t i = 0; i < workload->envc; i++) {
		if (strncmp(workload->envp[i], name, strlen(name)) == 0 &&
		    workload->envp[i][strlen(name)] == '=')
			return workload->envp[i] + strlen(name) + 1;
	}
	return NULL;
}

static void variable_replaces_its_namesake(void **state)
{
	static char first[] = "A=1", other[] = "AB=2", second[] = "A=3";
	struct workload workload;
	struct why why;

	(void)state;
	workload_init(&workload);
	assert_int_equal(workload_put_env(&workload, first, &why), 0);
	assert_int_equal(workload_put_env(&workload, other, &why), 0);
	assert_int_equal(workload_put_env(&workload, second, &why), 0);
	assert_int_equal(workload.envc, 2);
	assert_string_equal(value_of(&workload, "A"), "3");
	assert_string_equal(value_of(&workload, "AB"), "2");
	assert_null(workload.envp[2]);
}

static void start_goes_over_image_and_both_over_defaults(void **state)
{
	static char image_path[] = "PATH=/opt", image_a[] = "A=image";
	static char home[] = "HOME=/", term[] = "TERM=linux", start_a[] = "A=start";
	static char *environment[] = {home, term, start_a, NULL};
	struct workload_defaults defaults;
	struct workload workload;
	struct why why;

	(void)state;
	workload_init(&workload);
	assert_int_equal(workload_put_env(&workload, image_path, &why), 0);
	assert_int_equal(workload_put_env(&workload, image_a, &why), 0);
	assert_int_equal(workload_put_environ(&workload, environment, &why), 0);
	assert_int_equal(workload_add_defaults(&workload, &defaults, "/srv", &why), 0);
	assert_int_equal(workload.envc, 4);
	assert_string_equal(value_of(&workload, "PATH"), "/opt");
	assert_string_equal(value_of(&workload, "A"), "start");
	assert_string_equal(value_of(&workload, "HOME"), "/srv");
	assert_string_equal(value_of(&workload, "TERM"), "vt220");
}

static void kernel_values_that_were_asked_for_stay(void **state)
{
	static char home[] = "HOME=/data", term[] = "TERM=xterm";
	static char *environment[] = {home, term, NULL};
	struct workload_defaults defaults;
	struct workload workload;
	struct why why;

	(void)state;
	workload_init(&workload);
	assert_int_equal(workload_put_environ(&workload, environment, &why), 0);
	assert_int_equal(workload_add_defaults(&workload, &defaults, "/root", &why), 0);
	assert_string_equal(value_of(&workload, "HOME"), "/data");
	assert_string_equal(value_of(&workload, "TERM"), "xterm");
}

static void environment_is_bounded(void **state)
{
	static char names[WORKLOAD_ENV + 1][16];
	struct workload workload;
	struct why why;

	(void)state;
	workload_init(&workload);
	for (int i = 0; i < WORKLOAD_ENV; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "V%d=", i);
		assert_int_equal(workload_put_env(&workload, names[i], &why), 0);
	}
	assert_int_equal(workload_put_env(&workload, names[0], &why), 0);
	(void)snprintf(names[WORKLOAD_ENV], sizeof(names[0]), "ONE_MORE=");
	assert_int_equal(workload_put_env(&workload, names[WORKLOAD_ENV], &why), -1);
	assert_string_equal(why.text, "more than 256 environment variables");
	assert_null(workload.envp[WORKLOAD_ENV]);
}

static void shell_is_a_login_shell(void **state)
{
	struct workload workload;
	struct why why;

	(void)state;
	workload_init(&workload);
	assert_int_equal(workload_add_shell(&workload, &why), 0);
	assert_true(workload.shell);
	assert_string_equal(workload.argv[0], "-sh");
	assert_null(workload.argv[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(variable_replaces_its_namesake),
		cmocka_unit_test(start_goes_over_image_and_both_over_defaults),
		cmocka_unit_test(kernel_values_that_were_asked_for_stay),
		cmocka_unit_test(environment_is_bounded),
		cmocka_unit_test(shell_is_a_login_shell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
