/* SPDX-License-Identifier: Apache-2.0 */
/* Whose word counts when a machine goes on from a snapshot. */
#include "base/compiler.h"
#include <stdlib.h>

#include "base/test.h"
#include "vmm/config/config.h"

static const char saved_text[] =
	"{\"kernel\": \"k\", \"memory\": \"64M\", \"cpus\": 2, \"id\": \"old\", \"log_level\": "
	"\"debug\", \"huge_pages\": \"2M\", \"workload\": [\"sh\"], \"acpi\": false, \"drives\": "
	"[{\"path\": \"/a\", \"id\": \"a\", \"queues\": 2}, {\"path\": \"/b\", \"id\": \"b\", "
	"\"readonly\": true}], \"nets\": [{\"id\": \"n\", \"tap\": \"t\", \"mac\": "
	"\"02:00:00:00:00:01\"}]}";

/* The command line's words behind --restore, over the snapshot's. */
static int restored(struct config *own, size_t count, const char *const *words, struct verr *e)
{
	char *argv[16] = {"volt-vmm", "--restore", "s"};
	struct config saved;
	int r;

	for (size_t i = 0; i < count; i++)
		argv[3 + i] = strdup(words[i]);
	config_init(own);
	config_init(&saved);
	assert_ok(config_parse_args(own, 3 + (int)count, argv, e), e);
	assert_ok(config_parse_json(&saved, saved_text, strlen(saved_text), "saved", e), e);
	r = config_restored(own, &saved, e);
	for (size_t i = 0; i < count; i++)
		free(argv[3 + i]);
	config_deinit(&saved);
	return r;
}

/* Not ARRAY_LEN(): for clang the words would have to be constants. */
#define RESTORED(own, e, ...)                                                      \
	restored(own, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), \
		 (const char *const[]){__VA_ARGS__}, e)

static void test_the_guests_and_the_processs(void **state)
{
	struct verr e = VERR_INIT;
	struct config c;

	(void)state;
	assert_ok(RESTORED(&c, &e, "--id", "new", "--console", "none"), &e);
	assert_null(c.kernel);
	assert_string_equal(c.restore, "s");
	assert_int_equal(c.memory, MIB(64));
	assert_int_equal(c.cpus, 2);
	assert_false(c.acpi);
	assert_string_equal(c.workload[0], "sh");
	assert_int_equal(c.huge_pages, MEM_HUGE_2M);
	assert_string_equal(c.id, "new");
	assert_string_equal(c.console, "none");
	assert_int_not_equal(c.log_level, 3); /* "debug" was the other process's */
	assert_int_equal(c.drives.count, 2);
	assert_string_equal(config_nets(&c)[0].mac, "02:00:00:00:00:01");
	assert_ok(config_check(&c, &e), &e);
	config_deinit(&c);
	assert_ok(RESTORED(&c, &e, "--huge-pages", "off"), &e);
	assert_null(c.id);
	assert_int_equal(c.huge_pages, MEM_HUGE_OFF);
	config_deinit(&c);
}

static void test_keys_of_disks_and_nics(void **state)
{
	struct verr e = VERR_INIT;
	struct config c;

	(void)state;
	assert_ok(RESTORED(&c, &e, "--drive", "id=b,path=/other", "--net",
			   "id=n,tap=u,rx-rate=5,mac=02:00:00:00:00:01"),
		  &e);
	assert_int_equal(c.drives.count, 2);
	assert_string_equal(config_drives(&c)[0].path, "/a");
	assert_int_equal(config_drives(&c)[0].queues, 2);
	assert_string_equal(config_drives(&c)[1].path, "/other");
	assert_true(config_drives(&c)[1].readonly);
	assert_string_equal(config_nets(&c)[0].tap, "u");
	assert_string_equal(config_nets(&c)[0].mac, "02:00:00:00:00:01");
	assert_int_equal(config_nets(&c)[0].rx_rate, 5);
	config_deinit(&c);
}

static void test_refused(void **state)
{
	static const struct {
		const char *flag, *value, *part;
	} cases[] = {
		{"--memory", "32M", "--memory: with --restore it is the snapshot's"},
		{"--kernel", "k", "--kernel: with --restore it is the snapshot's"},
		{"--rng", "off", "--rng: with --restore it is the snapshot's"},
		{"--volume", "v", "disks are the snapshot's"},
		{"--drive", "path=/c", "expected id="},
		{"--drive", "id=c,path=/c", "--drive id=c: the snapshot has none"},
		{"--net", "id=m,tap=v", "--net id=m: the snapshot has none"},
		{"--net", "id=n,mac=02:00:00:00:00:02",
		 "--net id=n: mac: with --restore it is the snapshot's, 02:00:00:00:00:01"},
		{"--net", "id=n,ip=dhcp", "--net id=n: ip: with --restore it is the snapshot's"},
	};
	struct config c;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct verr e = VERR_INIT;

		assert_fault(RESTORED(&c, &e, cases[i].flag, cases[i].value), &e, VERR_INVALID,
			     cases[i].part);
		config_deinit(&c);
	}
}

static void test_rules_beside_it(void **state)
{
	struct verr e = VERR_INIT;
	struct config c;

	(void)state;
	assert_ok(RESTORED(&c, &e, "--paused"), &e);
	assert_fault(config_check(&c, &e), &e, VERR_INVALID, "--api-socket");
	config_deinit(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_guests_and_the_processs),
		cmocka_unit_test(test_keys_of_disks_and_nics),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_rules_beside_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
