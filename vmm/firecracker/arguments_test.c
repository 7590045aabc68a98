/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/firecracker/arguments.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/test.h"
#include "vmm/config/config.h"

#define WORDS_MAX 12

/* Words of a command line, NULL behind the last. */
struct words {
	const char *word[WORDS_MAX];
};

static int parse(struct fc_args *c, const struct words *w, struct verr *e)
{
	char *argv[WORDS_MAX + 1] = {(char *)(uintptr_t) "firecracker"};
	int argc = 1;

	while (w->word[argc - 1] != NULL) {
		argv[argc] = (char *)(uintptr_t)w->word[argc - 1];
		argc++;
	}
	*e = (struct verr)VERR_INIT;
	return fc_args_parse(c, argc, argv, e);
}

static void test_name(void **state)
{
	(void)state;
	assert_true(fc_args_is_ours("firecracker"));
	assert_true(fc_args_is_ours("/usr/bin/firecracker"));
	assert_true(fc_args_is_ours("./firecracker"));
	assert_false(fc_args_is_ours("/firecracker/volt-vmm"));
	assert_false(fc_args_is_ours("firecracker-v1.16.1"));
	assert_false(fc_args_is_ours(""));
	assert_false(fc_args_is_ours(NULL));
}

static void test_defaults(void **state)
{
	struct fc_args c;
	struct verr e;

	(void)state;
	assert_ok(parse(&c, &(struct words){{NULL}}, &e), &e);
	assert_string_equal(c.api_sock, "/run/firecracker.socket");
	assert_string_equal(c.id, "anonymous-instance");
	assert_int_equal(c.payload_max.value, 51200);
	assert_null(c.config_file);
	assert_false(c.no_api || c.no_seccomp || c.boot_timer);
	assert_false(c.start_time_us.given);
}

static void test_both_ways_of_writing(void **state)
{
	static const struct words spaced = {{"--id", "vm-1", "--api-sock", "a=b", "--start-time-us",
					     "12", "--no-seccomp", "--level", "Debug"}};
	static const struct words joined = {{"--id=vm-1", "--api-sock=a=b", "--start-time-us=12",
					     "--no-seccomp", "--level=Debug"}};
	const struct words *both[] = {&spaced, &joined};
	struct fc_args c;
	struct verr e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(both); i++) {
		assert_ok(parse(&c, both[i], &e), &e);
		assert_string_equal(c.id, "vm-1");
		assert_string_equal(c.api_sock, "a=b");
		assert_string_equal(c.level, "Debug");
		assert_true(c.no_seccomp);
		assert_true(c.start_time_us.given);
		assert_int_equal(c.start_time_us.value, 12);
	}
}

static void test_what_is_wrong(void **state)
{
	static const char id65[] =
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	static const struct {
		struct words words;
		const char *text;
	} cases[] = {
		{{{"--colour", "red"}}, "--colour: unknown argument"},
		{{{"x"}}, "x: unknown argument"},
		{{{"-h"}}, "-h: unknown argument"},
		{{{"--"}}, "--: unknown argument"},
		{{{"--=x"}}, "--=x: unknown argument"},
		{{{"--id"}}, "--id: expected a value: NAME"},
		{{{"--id", "--no-api"}}, "--id: expected a value"},
		{{{"--id", "a", "--id=b"}}, "--id is given twice"},
		{{{"--no-seccomp", "--no-seccomp"}}, "--no-seccomp is given twice"},
		{{{"--no-api=1"}}, "--no-api takes no value"},
		{{{"--no-api"}}, "--no-api: needs --config-file"},
		{{{"--id="}}, "expected 1 to 64"},
		{{{"--id", "a_b"}}, "--id a_b: expected 1 to 64 of A-Z a-z 0-9 -"},
		{{{"--id", id65}}, "expected 1 to 64"},
		{{{"--start-time-us", "-1"}}, "--start-time-us -1: expected a whole number"},
		{{{"--start-time-us", "1x"}}, "expected a whole number"},
		{{{"--start-time-us", "18446744073709551616"}}, "expected a whole number"},
		{{{"--no-seccomp", "--seccomp-filter", "f"}}, "exclude each other"},
		{{{"--seccomp-filter", "f"}}, "--seccomp-filter: the filters are part of"},
		{{{"--metadata", "f"}}, "--metadata: there is no metadata service (MMDS)"},
		{{{"--enable-pci"}}, "--enable-pci: devices are on virtio's memory-mapped"},
		{{{"--snapshot-version"}}, "no snapshots of Firecracker's format"},
		{{{"--describe-snapshot", "f"}}, "no snapshots of Firecracker's format"},
	};
	struct fc_args c;
	struct verr e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_fault(parse(&c, &cases[i].words, &e), &e, VERR_INVALID, cases[i].text);
}

static void test_accepted_without_effect(void **state)
{
	struct fc_args c;
	struct verr e;

	(void)state;
	assert_ok(parse(&c,
			&(struct words){{"--boot-timer", "--mmds-size-limit", "1024",
					 "--parent-cpu-time-us=7", "--start-time-cpu-us", "8"}},
			&e),
		  &e);
	assert_true(c.boot_timer);
	assert_int_equal(c.parent_cpu_time_us.value, 7);
}

static void test_help_and_version_come_first(void **state)
{
	struct fc_args c;
	struct verr e;

	(void)state;
	assert_ok(parse(&c, &(struct words){{"--colour", "--version"}}, &e), &e);
	assert_true(c.version && !c.help);
	assert_ok(parse(&c, &(struct words){{"--id", "a_b", "--help"}}, &e), &e);
	assert_true(c.help);
}

static void test_settings(void **state)
{
	struct config config;
	struct fc_args c;
	struct verr e;

	(void)state;
	config_init(&config);
	assert_ok(parse(&c, &(struct words){{"--id", "vm", "--no-seccomp"}}, &e), &e);
	assert_ok(fc_args_apply(&c, &config, &e), &e);
	assert_string_equal(config.id, "vm");
	assert_string_equal(config.api_socket, "/run/firecracker.socket");
	assert_string_equal(config.sandbox_skip, "seccomp");
	assert_true(config.sandbox);
	config_deinit(&config);

	config_init(&config);
	assert_ok(parse(&c, &(struct words){{"--no-api", "--config-file=f"}}, &e), &e);
	assert_ok(fc_args_apply(&c, &config, &e), &e);
	assert_null(config.api_socket);
	assert_null(config.sandbox_skip);
	config_deinit(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_name),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_both_ways_of_writing),
		cmocka_unit_test(test_what_is_wrong),
		cmocka_unit_test(test_accepted_without_effect),
		cmocka_unit_test(test_help_and_version_come_first),
		cmocka_unit_test(test_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
