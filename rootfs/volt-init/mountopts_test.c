/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/mountopts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <sys/mount.h>

static void options_are_flags_or_data(void **state)
{
	static const struct {
		const char *text;
		unsigned long flags;
		const char *data;
	} cases[] = {
		{"", 0, ""},
		{"defaults", 0, ""},
		{",,", 0, ""},
		{"ro,noatime", MS_RDONLY | MS_NOATIME, ""},
		{"ro,rw", 0, ""},
		{"user,exec", MS_NOSUID | MS_NODEV, ""},
		{"errors=remount-ro", 0, "errors=remount-ro"},
		{"size=1G,nosuid,mode=0755,defaults,uid=1", MS_NOSUID, "size=1G,mode=0755,uid=1"},
		{"rbind", MS_BIND | MS_REC, ""},
		{"x-systemd.automount,X-a=b,comment=x,_netdev,a", 0, "a"},
		{"roo,r,ro=1", 0, "roo,r,ro=1"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mountopts options;
		char text[128];

		(void)snprintf(text, sizeof(text), "%s", cases[i].text);
		mountopts_parse(&options, text);
		assert_int_equal(options.flags, cases[i].flags);
		assert_string_equal(options.data, cases[i].data);
		assert_false(options.noauto || options.nofail);
	}
}

static void what_is_about_the_start_is_told_apart(void **state)
{
	char text[] = "noauto,nofail,auto";
	struct mountopts options;

	(void)state;
	mountopts_parse(&options, text);
	assert_true(options.noauto && options.nofail);
	assert_string_equal(options.data, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_are_flags_or_data),
		cmocka_unit_test(what_is_about_the_start_is_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
