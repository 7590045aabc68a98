/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/program.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/test.h"

static void test_find(void **state)
{
	char path[PATH_MAX], tiny[4];

	(void)state;
	assert_true(program_find("sh", path, sizeof(path)));
	assert_int_equal(access(path, X_OK), 0);
	assert_false(program_find("no such program", path, sizeof(path)));
	assert_false(program_find("sh", tiny, sizeof(tiny)));
}

static void test_input_and_output(void **state)
{
	static const char *const argv[] = {"cat", NULL};
	struct verr e = VERR_INIT;
	char out[6];

	(void)state;
	assert_ok(program_run(argv, "abc", out, sizeof(out), &e), &e);
	assert_string_equal(out, "abc");
	assert_ok(program_run(argv, "abcdefgh", out, sizeof(out), &e), &e);
	assert_string_equal(out, "abcde");
	assert_ok(program_run(argv, NULL, out, sizeof(out), &e), &e);
	assert_string_equal(out, "");
}

static void test_faults(void **state)
{
	static const char *const fails[] = {"sh", "-c", "echo a >&2; echo why >&2; exit 3", NULL};
	static const char *const killed[] = {"sh", "-c", "kill -9 $$", NULL};
	static const char *const gone[] = {"no such program", NULL};
	static const char *const deaf[] = {"true", NULL};
	struct verr e = VERR_INIT;
	char much[PIPE_BUF + 2], out[8];
	int r;

	(void)state;
	r = program_run(fails, NULL, out, sizeof(out), &e);
	assert_fault(r, &e, VERR_HOST, "sh failed with status 3: why");
	e = (struct verr)VERR_INIT;
	r = program_run(killed, NULL, out, sizeof(out), &e);
	assert_fault(r, &e, VERR_HOST, "sh was ended by signal 9");
	e = (struct verr)VERR_INIT;
	r = program_run(gone, NULL, out, sizeof(out), &e);
	assert_fault(r, &e, VERR_HOST, "no such program is not there");
	e = (struct verr)VERR_INIT;
	memset(much, 'x', sizeof(much));
	much[sizeof(much) - 1] = '\0';
	r = program_run(deaf, much, out, sizeof(out), &e);
	assert_fault(r, &e, VERR_HOST, "too much to say");
	e = (struct verr)VERR_INIT;
	assert_ok(program_run(deaf, "not read", out, sizeof(out), &e), &e);
}

static void test_much_output_does_not_block(void **state)
{
	static const char *const argv[] = {"sh", "-c", "head -c 1000000 /dev/zero | tr '\\0' x",
					   NULL};
	struct verr e = VERR_INIT;
	char out[8];

	(void)state;
	assert_ok(program_run(argv, NULL, out, sizeof(out), &e), &e);
	assert_string_equal(out, "xxxxxxx");
}

/* More than a pipe holds, while the other output stays open. */
static void test_much_complaint_does_not_block(void **state)
{
	static const char *const argv[] = {
		"sh", "-c", "{ head -c 1000000 /dev/zero | tr '\\0' '\\n'; echo; } >&2; echo there",
		NULL};
	struct verr e = VERR_INIT;
	char out[16];

	(void)state;
	assert_ok(program_run(argv, NULL, out, sizeof(out), &e), &e);
	assert_string_equal(out, "there\n");
}

static void test_limit(void **state)
{
	static const char *const argv[] = {"sh", "-c", "echo there; sleep 1000 & wait", NULL};
	struct verr e = VERR_INIT;
	char out[16];
	int r;

	(void)state;
	r = program_run_within(100, argv, NULL, out, sizeof(out), &e);
	assert_fault(r, &e, VERR_HOST, "sh did not end in time");
}

static void test_user_name(void **state)
{
	char name[64], tiny[3];

	(void)state;
	assert_true(program_user_name(0, name, sizeof(name)));
	assert_string_equal(name, "root");
	assert_false(program_user_name(0, tiny, sizeof(tiny)));
	assert_false(program_user_name(4000000001, name, sizeof(name)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_input_and_output),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_much_output_does_not_block),
		cmocka_unit_test(test_much_complaint_does_not_block),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_user_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
