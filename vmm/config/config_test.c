/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/config/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "base/test.h"

#define ARGS(...) ((char *[]){(char *)"volt-vmm", __VA_ARGS__, NULL})

static int parse(struct config *c, char *argv[], struct verr *e)
{
	int argc = 0;

	while (argv[argc] != NULL)
		argc++;
	*e = (struct verr)VERR_INIT;
	config_deinit(c);
	config_init(c);
	return config_parse_args(c, argc, argv, e);
}

static int parse_json(struct config *c, const char *text, struct verr *e)
{
	*e = (struct verr)VERR_INIT;
	config_deinit(c);
	config_init(c);
	return config_parse_json(c, text, strlen(text), "vm.json", e);
}

static void test_defaults(void **state)
{
	struct config c;

	(void)state;
	config_init(&c);
	assert_int_equal(c.memory, MIB(128));
	assert_int_equal(c.cpus, 1);
	assert_true(c.acpi);
	assert_string_equal(c.console, "stdio");
	assert_null(c.kernel);
	config_deinit(&c);
}

static void test_args(void **state)
{
	struct config c = {0};
	struct verr e;

	(void)state;
	assert_ok(parse(&c,
			ARGS("--kernel", "k", "--memory=1G", "--cpus", "4", "--prefault", "on",
			     "--huge-pages", "2M", "--", "sh", "-c", "--memory"),
			&e),
		  &e);
	assert_string_equal(c.kernel, "k");
	assert_int_equal(c.memory, GIB(1));
	assert_int_equal(c.cpus, 4);
	assert_true(c.prefault);
	assert_int_equal(c.huge_pages, MEM_HUGE_2M);
	assert_string_equal(c.workload[0], "sh");
	assert_string_equal(c.workload[2], "--memory");
	assert_null(c.workload[3]);
	assert_ok(config_check(&c, &e), &e);
	config_deinit(&c);
}

/* Each names the setting, the value and what was expected. */
static void test_bad_args(void **state)
{
	static const struct {
		const char *flag, *value, *fault;
	} cases[] = {
		{"--memory", "12X", "--memory 12X: expected a size such as 128M or 1G"},
		{"--memory", "1M", "--memory 1M: expected a size from 2M to 4T"},
		{"--memory", "99999999999999999999", "expected a size such as"},
		{"--memory", "16777216T", "expected a size such as"},
		{"--memory", "-1", "expected a size such as"},
		{"--memory", "", "expected a size such as"},
		{"--cpus", "0", "--cpus 0: expected 1 to 255"},
		{"--cpus", "256", "--cpus 256: expected 1 to 255"},
		{"--cpus", "4294967297", "expected 1 to 255"},
		{"--cpus", "2x", "--cpus 2x: expected a whole number, 1 to 255"},
		{"--cpus", " 2", "expected a whole number"},
		{"--prefault", "yes", "--prefault yes: expected on or off"},
		{"--huge-pages", "1G", "--huge-pages 1G: expected auto|off|thp|2M"},
		{"--huge-pages", "auto|off", "expected auto|off|thp|2M"},
		{"--kernel", "", "--kernel : expected a path"},
		{"--memroy", "1G", "--memroy: unknown option"},
		{"kernel", "x", "kernel: expected an option"},
		{"--help=1", "x", "--help: takes no value"},
	};
	struct config c = {0};
	struct verr e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int r = parse(&c, ARGS((char *)cases[i].flag, (char *)cases[i].value), &e);

		if (strcmp(cases[i].flag, "--help=1") == 0)
			assert_fault(r, &e, VERR_INVALID, "takes no value");
		else
			assert_fault(r, &e, VERR_INVALID, cases[i].fault);
	}
	assert_fault(parse(&c, ARGS("--memory"), &e), &e, VERR_INVALID, "expected a value: SIZE");
	assert_fault(parse(&c, ARGS("--"), &e), &e, VERR_INVALID, "expected the guest's command");
	config_deinit(&c);
}

static void test_json(void **state)
{
	struct config c = {0};
	struct verr e;

	(void)state;
	assert_ok(parse_json(&c,
			     "{\"kernel\":\"k\",\"memory\":\"256M\",\"cpus\":2,\"acpi\":false,"
			     "\"log_level\":\"debug\",\"workload\":[\"echo\",\"hi there\"]}",
			     &e),
		  &e);
	assert_int_equal(c.memory, MIB(256));
	assert_int_equal(c.cpus, 2);
	assert_false(c.acpi);
	assert_int_equal(c.log_level, LOG_DEBUG);
	assert_string_equal(c.workload[1], "hi there");
	assert_ok(parse_json(&c, "{\"memory\":268435456}", &e), &e);
	assert_int_equal(c.memory, MIB(256));
	config_deinit(&c);
}

static void test_bad_json(void **state)
{
	static const struct {
		const char *text, *fault;
	} cases[] = {
		{"{\"cpus\":\"2\"}", "vm.json: cpus: \"2\": expected a whole number, 1 to 255"},
		{"{\"cpus\":-1}", "vm.json: cpus: -1: expected 1 to 255"},
		{"{\"cpus\":300}", "expected 1 to 255"},
		{"{\"memory\":true}", "vm.json: memory: true: expected a size"},
		{"{\"memory\":-5}", "expected a size"},
		{"{\"acpi\":\"on\"}", "vm.json: acpi: \"on\": expected true or false"},
		{"{\"kernel\":1}", "vm.json: kernel: 1: expected a string: FILE"},
		{"{\"huge_pages\":\"x\"}", "expected auto|off|thp|2M"},
		{"{\"kernle\":\"x\"}", "vm.json: kernle: \"x\": unknown key"},
		{"{\"config_file\":\"x\"}", "unknown key"},
		{"{\"dry_run\":true}", "unknown key"},
		{"{\"workload\":[]}", "expected an array of strings"},
		{"{\"workload\":[1]}", "expected an array of strings"},
		{"{\"cpus\":1,\"cpus\":2}", "vm.json:1:"},
		{"[1]", "vm.json: expected a JSON object"},
		{"{", "vm.json:1:"},
		{"", "vm.json:1:"},
		{"{\"kernel\":\"a\\u0000b\"}", "vm.json:1:"},
	};
	struct config c = {0};
	struct verr e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_fault(parse_json(&c, cases[i].text, &e), &e, VERR_INVALID, cases[i].fault);
	config_deinit(&c);
}

/* The command line wins over the file, wherever --config-file stands. */
static void test_file_beneath_args(void **state)
{
	char path[] = "/tmp/volt-config-XXXXXX";
	auto_fd fd = mkstemp(path);
	const char text[] = "{\"cpus\":2,\"memory\":\"64M\",\"workload\":[\"a\"]}";
	struct config c = {0};
	struct verr e;

	(void)state;
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_ok(parse(&c, ARGS("--cpus", "8", "--config-file", path, "--", "b"), &e), &e);
	assert_int_equal(c.cpus, 8);
	assert_int_equal(c.memory, MIB(64));
	assert_string_equal(c.workload[0], "b");
	assert_null(c.workload[1]);
	(void)unlink(path);
	assert_fault(parse(&c, ARGS("--config-file", path), &e), &e, VERR_INVALID,
		     "--config-file: cannot read");
	config_deinit(&c);
}

/* What is printed can be read again and means the same. */
static void test_json_round_trip(void **state)
{
	struct config c = {0}, again = {0};
	auto_free char *first = NULL, *second = NULL;
	struct verr e;

	(void)state;
	assert_ok(parse(&c,
			ARGS("--kernel", "a\"b\\c", "--memory", "6M", "--pit", "off", "--id",
			     "vm-1", "--", "x", ""),
			&e),
		  &e);
	first = config_to_json(&c);
	assert_ok(parse_json(&again, first, &e), &e);
	second = config_to_json(&again);
	assert_string_equal(first, second);
	assert_string_equal(again.workload[1], "");
	config_deinit(&c);
	config_deinit(&again);
}

static void test_check(void **state)
{
	struct config c = {0};
	struct verr e;

	(void)state;
	assert_ok(parse(&c, ARGS("--cpus", "1"), &e), &e);
	assert_fault(config_check(&c, &e), &e, VERR_INVALID, "--kernel: missing");
	assert_ok(parse(&c, ARGS("--kernel", "k", "--id", "a/b"), &e), &e);
	assert_fault(config_check(&c, &e), &e, VERR_INVALID, "--id a/b: expected 1 to 64");
	assert_ok(parse(&c, ARGS("--kernel", "k", "--console", "tty"), &e), &e);
	assert_fault(config_check(&c, &e), &e, VERR_INVALID, "--console tty: expected stdio");
	assert_ok(parse(&c, ARGS("--kernel", "k", "--memory", "3M"), &e), &e);
	assert_fault(config_check(&c, &e), &e, VERR_INVALID, "multiple of 2M");
	assert_ok(parse(&c, ARGS("--kernel", "k", "--memory", "3M", "--huge-pages", "off"), &e),
		  &e);
	assert_ok(config_check(&c, &e), &e);
	assert_ok(parse(&c, ARGS("--kernel", "k", "--init", "/a b"), &e), &e);
	assert_fault(config_check(&c, &e), &e, VERR_INVALID, "--init /a b: expected PATH|none");
	assert_ok(parse(&c, ARGS("--kernel", "k", "--init", "none", "--cpuid", "1"), &e), &e);
	assert_fault(config_check(&c, &e), &e, VERR_INVALID, "--cpuid: 1: expected LEAF");
	assert_ok(parse(&c, ARGS("--kernel", "k", "--cmdline", "a\nb"), &e), &e);
	assert_fault(config_check(&c, &e), &e, VERR_INVALID, "--cmdline: expected one line");
	config_deinit(&c);
}

/* Which NIC is passt's, and whose the ports are. */
static void test_passt(void **state)
{
	struct config c = {0};
	struct verr e;

	(void)state;
	assert_ok(parse(&c, ARGS("--kernel", "k", "-p", "80:80", "--publish=53:53/udp"), &e), &e);
	assert_ok(config_check(&c, &e), &e);
	assert_int_equal(c.nets.count, 1);
	assert_int_equal(config_nets(&c)[0].backend, NET_BACKEND_PASST);
	assert_string_equal(config_nets(&c)[0].publish, "80:80+53:53/udp");
	assert_string_equal(config_nets(&c)[0].ip, "dhcp");
	assert_null(c.publish);
	config_deinit(&c);
	assert_ok(parse(&c,
			ARGS("--kernel", "k", "--net-backend", "passt", "--net", "tap=t,ip=none",
			     "-p", "80:80"),
			&e),
		  &e);
	assert_ok(config_check(&c, &e), &e);
	assert_int_equal(c.nets.count, 2);
	assert_string_equal(config_nets(&c)[0].publish, "80:80");
	assert_string_equal(config_nets(&c)[1].ip, "none");
	config_deinit(&c);
	assert_ok(parse(&c,
			ARGS("--kernel", "k", "--tap", "t", "--net",
			     "backend=passt,publish=1:1+2:2,ip=10.0.0.2/24", "-p", "80:80"),
			&e),
		  &e);
	assert_ok(config_check(&c, &e), &e);
	assert_int_equal(c.nets.count, 2);
	assert_null(config_nets(&c)[0].ip);
	assert_string_equal(config_nets(&c)[1].publish, "1:1+2:2+80:80");
	assert_string_equal(config_nets(&c)[1].ip, "10.0.0.2/24");
	config_deinit(&c);
}

static void test_bad_passt(void **state)
{
	static const struct {
		char *flag, *value;
		const char *fault;
	} cases[] = {
		{"--net", "backend=passt,tap=t", "backend=passt has no TAP device"},
		{"--net", "backend=passt,queues=2", "queues=2: passt has one pair"},
		{"--net", "backend=passt,mtu=65521", "expected at most 65520 with passt"},
		{"--net", "backend=passt,socket=/s,publish=1:1", "give that one its options"},
		{"--net", "backend=passt,socket=/s,loopback=on", "give that one its options"},
		{"--net", "backend=passt,publish=1", "publish: 1: expected"},
		{"--net", "backend=passt,ip=x", "ip: x: expected dhcp"},
		{"--net", "backend=passt,publish=127.0.0.1:1:1/udp", "need loopback=on"},
		{"--publish", "[::1]:1:1/udp", "need loopback=on"},
		{"--net", "tap=t,publish=1:1", "are passt's; expected backend=passt"},
		{"--net", "tap=t,socket=/s", "are passt's; expected backend=passt"},
		{"--net", "tap=t,loopback=on", "are passt's; expected backend=passt"},
		{"--publish", "1:1+1:2", "port 1 is published twice"},
	};
	struct config c = {0};
	struct verr e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_ok(parse(&c, ARGS("--kernel", "k", cases[i].flag, cases[i].value), &e), &e);
		assert_fault(config_check(&c, &e), &e, VERR_INVALID, cases[i].fault);
		config_deinit(&c);
	}
	assert_ok(parse(&c, ARGS("--kernel", "k", "--tap", "t", "-p", "1:1"), &e), &e);
	assert_fault(config_check(&c, &e), &e, VERR_INVALID, "only passt publishes ports");
	config_deinit(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),        cmocka_unit_test(test_args),
		cmocka_unit_test(test_bad_args),        cmocka_unit_test(test_json),
		cmocka_unit_test(test_bad_json),        cmocka_unit_test(test_file_beneath_args),
		cmocka_unit_test(test_json_round_trip), cmocka_unit_test(test_check),
		cmocka_unit_test(test_passt),           cmocka_unit_test(test_bad_passt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
