/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/debian.h"

#include <sys/stat.h>

#include "volt/volt_test.h"

static void assert_refused(struct debian d, enum verr_kind kind, const char *part)
{
	struct verr e = VERR_INIT;

	assert_fault(debian_check(&d, &e), &e, kind, part);
}

/* Nothing that mmdebstrap would take for an option, a file or its standard input. */
static void test_words(void **state)
{
	(void)state;
	assert_refused((struct debian){.suite = "-x"}, VERR_INVALID, "--suite: -x");
	assert_refused((struct debian){.suite = "./file"}, VERR_INVALID, "--suite");
	assert_refused((struct debian){.suite = "a b"}, VERR_INVALID, "no \" \" is allowed");
	assert_refused((struct debian){.suite = "a", .include = "x;y"}, VERR_INVALID, "--include");
	assert_refused((struct debian){.suite = "a", .include = "/x"}, VERR_INVALID, "--include");
	assert_refused((struct debian){.suite = "a", .mirror = "-"}, VERR_INVALID, "--mirror");
	assert_refused((struct debian){.suite = "a", .mirror = "deb http://x y"}, VERR_INVALID,
		       "--mirror");
}

static void test_missing_tool(void **state)
{
	(void)setenv("PATH", *state, 1);
	assert_refused((struct debian){.suite = "a", .include = "b,c", .mirror = "http://d"},
		       VERR_HOST, "apt-get install mmdebstrap uidmap");
}

/* A program of that name that does what `script` says; in the PATH with the usual ones. */
static void make_tool(const char *folder, const char *script)
{
	char path[256];
	auto_fclose *f = NULL;

	(void)snprintf(path, sizeof(path), "%s:/usr/bin:/bin", folder);
	(void)setenv("PATH", path, 1);
	(void)snprintf(path, sizeof(path), "%s/mmdebstrap", folder);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_true(fprintf(f, "#!/bin/sh\n%s\n", script) > 0);
	assert_int_equal(fchmod(fileno(f), 0755), 0);
}

static void test_arguments_and_output(void **state)
{
	const struct debian d = {.suite = "sid", .include = "b,c", .mirror = "http://d"};
	auto_fd out = test_file("", 0);
	char text[512] = "";
	struct verr e = VERR_INIT;

	make_tool(*state, "echo \"$@\"; cat");
	assert_ok(debian_write_tar(&d, out, &e), &e);
	assert_true(pread(out, text, sizeof(text) - 1, 0) > 0);
	assert_non_null(strstr(text, " --include=b,c sid - http://d\n"));
	assert_non_null(strstr(text, "--variant=minbase --format=tar"));
}

static void test_failure(void **state)
{
	const struct debian d = {.suite = "sid"};
	auto_fd out = test_file("", 0);
	struct verr failed = VERR_INIT, ended = VERR_INIT;

	make_tool(*state, "exit 3");
	assert_fault(debian_write_tar(&d, out, &failed), &failed, VERR_HOST,
		     "mmdebstrap failed with status 3");
	make_tool(*state, "kill -9 $$");
	assert_fault(debian_write_tar(&d, out, &ended), &ended, VERR_HOST,
		     "mmdebstrap was ended by signal 9");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_missing_tool),
		cmocka_unit_test(test_arguments_and_output),
		cmocka_unit_test(test_failure),
	};

	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
