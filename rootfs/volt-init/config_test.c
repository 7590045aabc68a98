/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_65 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdefX"

struct fixture {
	struct workload workload;
	struct config config;
	struct why why;
	char *room;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	workload_init(&f->workload);
	f->config.workload = &f->workload;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	free(f->room);
	free(f);
	return 0;
}

static int parse(struct fixture *f, const char *text)
{
	free(f->room);
	f->room = malloc(strlen(text) + 1);
	assert_non_null(f->room);
	return config_parse(&f->config, text, strlen(text), f->room, &f->why);
}

static void whole_configuration(void **state)
{
	struct fixture *f = *state;
	struct workload *w = &f->workload;

	assert_int_equal(parse(f,
			       "{\"user\":\"www-data\", \"cwd\": \"/srv\", \"hostname\": \"box\",\n"
			       "\"env\": {\"A\": \"\", \"B\" :  \"b=c\"},\n"
			       "\"command\": [\"/bin/x\", \"\", \"\\u00fc\"]}\n"),
			 0);
	assert_int_equal(w->argc, 3);
	assert_string_equal(w->argv[0], "/bin/x");
	assert_string_equal(w->argv[1], "");
	assert_string_equal(w->argv[2], "\xc3\xbc");
	assert_null(w->argv[3]);
	assert_int_equal(w->envc, 2);
	assert_string_equal(w->envp[0], "A=");
	assert_string_equal(w->envp[1], "B=b=c");
	assert_null(w->envp[2]);
	assert_string_equal(w->user, "www-data");
	assert_string_equal(w->cwd, "/srv");
	assert_string_equal(f->config.hostname, "box");
}

static void every_key_may_be_absent(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(parse(f, "{}"), 0);
	assert_int_equal(f->workload.argc, 0);
	assert_int_equal(f->workload.envc, 0);
	assert_null(f->workload.user);
	assert_null(f->workload.cwd);
	assert_null(f->config.hostname);
}

static void given_command_stays(void **state)
{
	struct fixture *f = *state;
	char given[] = "given";

	assert_int_equal(workload_add_arg(&f->workload, given, &f->why), 0);
	assert_int_equal(parse(f, "{\"command\": [\"a\", \"b\"], \"cwd\": \"/x\"}"), 0);
	assert_int_equal(f->workload.argc, 1);
	assert_string_equal(f->workload.argv[0], "given");
	assert_string_equal(f->workload.cwd, "/x");
}

static void bad_configurations_are_refused(void **state)
{
	static const struct {
		const char *text;
		const char *why;
	} cases[] = {
		{"", "offset 0: expected an object"},
		{"[]", "offset 0: expected an object"},
		{"{\"cmd\":1}", "offset 1: \"cmd\": unknown key"},
		{"{\"command\":\"x\"}", "offset 11: \"command\": expected an array"},
		{"{\"command\":[]}", "offset 13: \"command\": the command is empty"},
		{"{\"command\":[ \"\"]}", "offset 13: \"command\": the program's name is empty"},
		{"{\"command\":[1]}", "offset 12: \"command\": expected a string"},
		{"{\"command\":[[\"x\"]]}", "offset 12: \"command\": expected a string"},
		{"{\"command\":[\"x\"", "offset 15: \"command\": expected ',' or ']'"},
		{"{\"env\":[\"A=b\"]}", "offset 7: \"env\": expected an object"},
		{"{\"env\":{\"A\":1}}", "offset 12: \"env\": expected a string"},
		{"{\"env\":{\"\":\"x\"}}", "offset 8: \"env\": not a variable's name"},
		{"{\"env\":{\"A=B\":\"x\"}}", "offset 8: \"env\": not a variable's name"},
		{"{\"env\":{\"A\":\"x\",\"A\":\"\"}}",
		 "offset 16: \"env\": the same variable twice"},
		{"{\"user\":1}", "offset 8: \"user\": expected a string"},
		{"{\"user\":\"\"}", "offset 8: \"user\": the user is empty"},
		{"{\"cwd\":\"srv\"}", "offset 7: \"cwd\": not an absolute path"},
		{"{\"cwd\":\"/\",\"cwd\":\"/\"}", "offset 11: \"cwd\": the same key twice"},
		{"{\"hostname\":\"\"}", "offset 12: \"hostname\": a host name has 1 to 64 bytes"},
		{"{\"hostname\":\"" NAME_65 "\"}",
		 "offset 12: \"hostname\": a host name has 1 to 64 bytes"},
		{"{\"cwd\":\"/\"}}", "offset 11: expected the end"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		workload_init(&f->workload);
		assert_int_equal(parse(f, cases[i].text), -1);
		assert_string_equal(f->why.text, cases[i].why);
	}
}

static void similar_variable_names_are_not_the_same(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(parse(f, "{\"env\":{\"AB\":\"1\",\"A\":\"2\",\"ABC\":\"3\"}}"), 0);
	assert_int_equal(f->workload.envc, 3);
}

static void too_many_are_refused(void **state)
{
	struct fixture *f = *state;
	char *text = malloc(1 << 16);
	size_t at = 0;

	assert_non_null(text);
	at += (size_t)sprintf(text, "{\"env\":{\"A\":\"\"");
	for (int i = 0; i < WORKLOAD_ENV; i++)
		at += (size_t)sprintf(text + at, ",\"A%d\":\"\"", i);
	memcpy(text + at, "}}", sizeof("}}"));
	assert_int_equal(parse(f, text), -1);
	assert_non_null(strstr(f->why.text, "\"env\": too many variables"));

	workload_init(&f->workload);
	at = (size_t)sprintf(text, "{\"command\":[\"A\"");
	for (int i = 0; i < WORKLOAD_ARGS; i++)
		at += (size_t)sprintf(text + at, ",\"\"");
	memcpy(text + at, "]}", sizeof("]}"));
	assert_int_equal(parse(f, text), -1);
	assert_non_null(strstr(f->why.text, "\"command\": too many arguments"));
	free(text);
}

static void file_is_read_and_named(void **state)
{
	struct fixture *f = *state;
	char path[] = "/tmp/volt-init-config-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(config_load(&f->config, "/nonexistent/init.json", &f->why), 0);
	assert_int_equal(write(fd, "{\"cwd\":\"/\"}", 10), 10);
	assert_int_equal(config_load(&f->config, path, &f->why), -1);
	assert_memory_equal(f->why.text, path, strlen(path));
	assert_string_equal(f->why.text + strlen(path), ": offset 10: expected ',' or '}'");
	assert_int_equal(write(fd, "}", 1), 1);
	workload_init(&f->workload);
	assert_int_equal(config_load(&f->config, path, &f->why), 0);
	assert_string_equal(f->workload.cwd, "/");

	assert_int_equal(ftruncate(fd, (off_t)CONFIG_SIZE_MAX + 1), 0);
	assert_int_equal(config_load(&f->config, path, &f->why), -1);
	assert_non_null(strstr(f->why.text, "File too large"));
	close(fd);
	unlink(path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(whole_configuration),
		TEST(every_key_may_be_absent),
		TEST(given_command_stays),
		TEST(bad_configurations_are_refused),
		TEST(similar_variable_names_are_not_the_same),
		TEST(too_many_are_refused),
		TEST(file_is_read_and_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
