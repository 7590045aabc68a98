/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/user.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
			     "broken\n"
			     "nogid:x:7\n"
			     "\n"
			     "app:x:1000:1001:An app:/srv/app:/bin/sh\n"
			     "homeless:x:1002:1002::relative:\n"
			     "1000:x:77:77::/number:\n"
			     "last:x:5:6:::";
static const char group[] = "root:x:0:\n"
			    "tty:x:5:app\n"
			    "video:x:44:other,app,more\n"
			    "apple:x:45:apple,ap\n"
			    "bad:x:-1:app\n"
			    "short:x";

static struct why why;

static int parse(struct user *user, const char *spec)
{
	/* Cut up by the parser: a fresh copy each time. */
	static char passwd_copy[sizeof(passwd)], group_copy[sizeof(group)];

	memcpy(passwd_copy, passwd, sizeof(passwd));
	memcpy(group_copy, group, sizeof(group));
	return user_parse(user, spec, passwd_copy, group_copy, &why);
}

static void name_brings_groups_and_home(void **state)
{
	struct user user;

	(void)state;
	assert_int_equal(parse(&user, "app"), 0);
	assert_int_equal(user.uid, 1000);
	assert_int_equal(user.gid, 1001);
	assert_string_equal(user.home, "/srv/app");
	assert_int_equal(user.ngroups, 2);
	assert_int_equal(user.groups[0], 5);
	assert_int_equal(user.groups[1], 44);
}

static void number_that_is_known_is_that_user(void **state)
{
	struct user user;

	(void)state;
	assert_int_equal(parse(&user, "1000"), 0);
	assert_int_equal(user.uid, 1000);
	assert_int_equal(user.gid, 1001);
	assert_int_equal(user.ngroups, 2);
}

static void number_that_is_unknown_has_its_own_group(void **state)
{
	struct user user;

	(void)state;
	assert_int_equal(parse(&user, "4242"), 0);
	assert_int_equal(user.uid, 4242);
	assert_int_equal(user.gid, 4242);
	assert_int_equal(user.ngroups, 0);
	assert_string_equal(user.home, "/");
}

static void pair_is_taken_as_it_stands(void **state)
{
	struct user user;

	(void)state;
	assert_int_equal(parse(&user, "1000:7"), 0);
	assert_int_equal(user.uid, 1000);
	assert_int_equal(user.gid, 7);
	assert_int_equal(user.ngroups, 0);
}

static void last_line_needs_no_newline(void **state)
{
	struct user user;

	(void)state;
	assert_int_equal(parse(&user, "last"), 0);
	assert_int_equal(user.uid, 5);
	assert_int_equal(user.gid, 6);
	assert_string_equal(user.home, "/");
	assert_int_equal(parse(&user, "homeless"), 0);
	assert_string_equal(user.home, "/");
}

static void unknown_and_malformed_are_refused(void **state)
{
	static const struct {
		const char *spec;
		const char *why;
	} cases[] = {
		{"nobody", "user \"nobody\" is not in /etc/passwd"},
		{"broken", "user \"broken\" is not in /etc/passwd"},
		{"nogid", "user \"nogid\" is not in /etc/passwd"},
		{"", "user \"\" is not in /etc/passwd"},
		{"-1", "user \"-1\" is not in /etc/passwd"},
		{"4294967295", "user \"4294967295\" is not in /etc/passwd"},
		{"99999999999999999999", "user \"99999999999999999999\" is not in /etc/passwd"},
		{"app:app", "user \"app:app\": expected a name, UID or UID:GID"},
		{"1:", "user \"1:\": expected a name, UID or UID:GID"},
		{":1", "user \":1\": expected a name, UID or UID:GID"},
		{"1:2:3", "user \"1:2:3\": expected a name, UID or UID:GID"},
		{"1:4294967295", "user \"1:4294967295\": expected a name, UID or UID:GID"},
		{"00000000000000000001:1",
		 "user \"00000000000000000001:1\": expected a name, UID or UID:GID"},
	};
	struct user user;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(parse(&user, cases[i].spec), -1);
		assert_string_equal(why.text, cases[i].why);
	}
}

static void files_may_be_missing(void **state)
{
	struct user user;

	(void)state;
	assert_int_equal(user_parse(&user, "12", NULL, NULL, &why), 0);
	assert_int_equal(user.gid, 12);
	assert_int_equal(user_parse(&user, "name", NULL, NULL, &why), -1);
	assert_int_equal(user_find(&user, NULL, &why), 0);
	assert_int_equal(user.uid, 0);
	assert_int_equal(user.gid, 0);
}

static void groups_are_bounded(void **state)
{
	static char many[USER_GROUPS * 16 + 32];
	char one[] = "app:x:1:1::/:";
	struct user user;
	size_t at = 0;

	(void)state;
	for (int i = 0; i <= USER_GROUPS; i++)
		at += (size_t)sprintf(many + at, "g:x:%d:app\n", i);
	assert_int_equal(user_parse(&user, "app", one, many, &why), -1);
	assert_string_equal(why.text, "user \"app\" is in more than 64 groups");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(name_brings_groups_and_home),
		cmocka_unit_test(number_that_is_known_is_that_user),
		cmocka_unit_test(number_that_is_unknown_has_its_own_group),
		cmocka_unit_test(pair_is_taken_as_it_stands),
		cmocka_unit_test(last_line_needs_no_newline),
		cmocka_unit_test(unknown_and_malformed_are_refused),
		cmocka_unit_test(files_may_be_missing),
		cmocka_unit_test(groups_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
