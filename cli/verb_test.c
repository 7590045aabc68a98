/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/verb.h"

#include "base/test_files.h"

enum { FLAG, VALUE };

static const struct verb_option options[] = {
	[FLAG] = {.name = "flag", .letter = 'f', .help = "a flag"},
	[VALUE] = {.name = "value", .letter = 'v', .value = "V", .help = "a value"},
};

/* Says what it got: "flag value operand..." */
static int run(const struct verb_args *args, struct verr *e)
{
	if (args->count > 0 && strcmp(args->operands[0], "fault") == 0)
		return verr_host(e, "it is broken");
	if (args->count > 0 && strcmp(args->operands[0], "input") == 0)
		return verr_invalid(e, "it is wrong");
	check_expected(args->options[FLAG]);
	check_expected(args->options[VALUE]);
	check_expected(args->count);
	return 7;
}

static const struct verb leaf = {
	.name = "leaf",
	.summary = "a leaf",
	.run = run,
	.options = options,
	.options_count = ARRAY_LEN(options),
	.operands = "A [B]",
	.operands_min = 1,
	.operands_max = 2,
};

static const struct verb *const leaves[] = {&leaf};

static const struct verb root = {
	.name = "root", .summary = "a root", .verbs = leaves, .verbs_count = ARRAY_LEN(leaves)};

static int call(int argc, const char *const argv[])
{
	return verb_main(&root, "root", argc, (char *const *)(uintptr_t)argv);
}

#define CALL(...)                                                          \
	call((int)ARRAY_LEN(((const char *const[]){"root", __VA_ARGS__})), \
	     (const char *const[]){"root", __VA_ARGS__, NULL})

static void expect_run(const char *flag, const char *value, size_t count)
{
	if (flag != NULL)
		expect_string(run, args->options[FLAG], flag);
	else
		expect_value(run, args->options[FLAG], NULL);
	if (value != NULL)
		expect_string(run, args->options[VALUE], value);
	else
		expect_value(run, args->options[VALUE], NULL);
	expect_value(run, args->count, count);
}

static void test_options_and_operands(void **state)
{
	(void)state;
	expect_run(NULL, NULL, 1);
	assert_int_equal(CALL("leaf", "a"), 7);
	expect_run("", "x", 2);
	assert_int_equal(CALL("leaf", "a", "--flag", "--value", "x", "b"), 7);
	expect_run("", "x", 1);
	assert_int_equal(CALL("leaf", "-f", "-v", "x", "a"), 7);
	expect_run(NULL, "x=y", 1);
	assert_int_equal(CALL("leaf", "--value=x=y", "a"), 7);
	expect_run(NULL, "last", 1);
	assert_int_equal(CALL("leaf", "-v", "first", "-v", "last", "a"), 7);
	expect_run(NULL, NULL, 2);
	assert_int_equal(CALL("leaf", "--", "--flag", "--help"), 7);
	expect_run(NULL, NULL, 1);
	assert_int_equal(CALL("leaf", "-"), 7);
}

/* Says "row=value" for each option, in order. */
static int run_all(const struct verb_args *args, struct verr *e)
{
	char text[64] = "";

	(void)e;
	for (size_t i = 0; i < args->given_count; i++) {
		size_t len = strlen(text);

		(void)snprintf(text + len, sizeof(text) - len, "%zu=%s ", args->given[i].row,
			       args->given[i].value);
	}
	check_expected(text);
	return 0;
}

static void test_every_value(void **state)
{
	static const struct verb all = {.name = "all",
					.summary = "all",
					.run = run_all,
					.options = options,
					.options_count = ARRAY_LEN(options)};
	const char *const argv[] = {"all", "-v", "first", "--flag", "--value=last", NULL};

	(void)state;
	expect_string(run_all, text, "1=first 0= 1=last ");
	assert_int_equal(verb_main(&all, "all", 5, (char *const *)(uintptr_t)argv), 0);
}

static void test_wrong_arguments_are_a_status_of_their_own(void **state)
{
	(void)state;
	assert_int_equal(CALL("leaf"), STATUS_USAGE);
	assert_int_equal(CALL("leaf", "a", "b", "c"), STATUS_USAGE);
	assert_int_equal(CALL("leaf", "a", "--nope"), STATUS_USAGE);
	assert_int_equal(CALL("leaf", "a", "--fla"), STATUS_USAGE);
	assert_int_equal(CALL("leaf", "a", "-fv"), STATUS_USAGE);
	assert_int_equal(CALL("leaf", "a", "--flag=x"), STATUS_USAGE);
	assert_int_equal(CALL("leaf", "a", "--value"), STATUS_USAGE);
	assert_int_equal(CALL("leaf", "a", "--value="), STATUS_USAGE);
	assert_int_equal(CALL("nope"), STATUS_USAGE);
	assert_int_equal(call(1, (const char *const[]){"root", NULL}), STATUS_USAGE);
}

static void test_faults_become_statuses(void **state)
{
	(void)state;
	assert_int_equal(CALL("leaf", "fault"), STATUS_FAILED);
	assert_int_equal(CALL("leaf", "input"), STATUS_USAGE);
}

static void test_help_runs_nothing(void **state)
{
	(void)state;
	assert_int_equal(CALL("--help"), STATUS_OK);
	assert_int_equal(CALL("leaf", "--help"), STATUS_OK);
	assert_int_equal(CALL("leaf", "a", "-h"), STATUS_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_and_operands),
		cmocka_unit_test(test_every_value),
		cmocka_unit_test(test_wrong_arguments_are_a_status_of_their_own),
		cmocka_unit_test(test_faults_become_statuses),
		cmocka_unit_test(test_help_runs_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
