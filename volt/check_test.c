/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/check.h"

#include "volt/volt_test.h"

static void test_cgroup_path(void **state)
{
	char out[32];

	(void)state;
	assert_true(check_cgroup_path("0::/user.slice/a\n", out, sizeof(out)));
	assert_string_equal(out, "/user.slice/a");
	assert_true(check_cgroup_path("9:name=systemd:/x\n1:cpu:/\n0::/\n", out, sizeof(out)));
	assert_string_equal(out, "/");
	assert_true(check_cgroup_path("0::/end", out, sizeof(out)));
	assert_string_equal(out, "/end");
	assert_false(check_cgroup_path("", out, sizeof(out)));
	assert_false(check_cgroup_path("1:cpu:/0::/\n10::/x\n", out, sizeof(out)));
	assert_false(check_cgroup_path("0::/0123456789012345678901234567890\n", out, sizeof(out)));
}

static void test_bracketed_choice(void **state)
{
	char out[8];

	(void)state;
	assert_true(check_bracketed("always [madvise] never\n", out, sizeof(out)));
	assert_string_equal(out, "madvise");
	assert_true(check_bracketed("[]", out, sizeof(out)));
	assert_string_equal(out, "");
	assert_false(check_bracketed("always never", out, sizeof(out)));
	assert_false(check_bracketed("always [never", out, sizeof(out)));
	assert_false(check_bracketed("[longword]", out, sizeof(out)));
}

static void test_small_files(void **state)
{
	char out[8];

	(void)state;
	assert_false(check_read_file("/nowhere/at/all", out, sizeof(out)));
	assert_false(check_read_file("/", out, sizeof(out)));
	assert_true(check_read_file("/proc/self/cmdline", out, sizeof(out)));
	assert_true(check_read_file("/proc/cpuinfo", out, sizeof(out)));
	assert_int_equal(strlen(out), sizeof(out) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cgroup_path),
		cmocka_unit_test(test_bracketed_choice),
		cmocka_unit_test(test_small_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
