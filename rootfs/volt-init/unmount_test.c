/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/unmount.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static void lines_come_last_first(void **state)
{
	char text[] = "/dev/vda / ext4 rw 0 0\n"
		      "none /mnt/a\\040b\\134c tmpfs rw 0 0\n"
		      "odd\n"
		      "/dev/vdb /mnt/a\\040b\\134c/d\\011\\9 xfs ro 0 0\n";
	size_t size = strlen(text);
	struct mount_entry entry;

	(void)state;
	assert_true(unmount_last(text, &size, &entry));
	assert_string_equal(entry.target, "/mnt/a b\\c/d\t\\9");
	assert_string_equal(entry.type, "xfs");
	assert_true(unmount_last(text, &size, &entry));
	assert_string_equal(entry.target, "");
	assert_string_equal(entry.type, "");
	assert_true(unmount_last(text, &size, &entry));
	assert_string_equal(entry.target, "/mnt/a b\\c");
	assert_string_equal(entry.type, "tmpfs");
	assert_true(unmount_last(text, &size, &entry));
	assert_string_equal(entry.target, "/");
	assert_string_equal(entry.type, "ext4");
	assert_false(unmount_last(text, &size, &entry));
}

static void nothing_beyond_the_text_is_touched(void **state)
{
	static const char line[] = "a /b\\0 c";
	size_t size = strlen(line);
	char *text = malloc(size + 1);
	struct mount_entry entry;

	(void)state;
	assert_non_null(text);
	memcpy(text, line, size + 1);
	assert_true(unmount_last(text, &size, &entry));
	assert_string_equal(entry.target, "/b\\0");
	assert_string_equal(entry.type, "c");
	assert_int_equal(size, 0);
	assert_false(unmount_last(text, &size, &entry));
	free(text);
}

static void what_keeps_data_is_not_skipped(void **state)
{
	static const char *const kept[] = {"ext4", "xfs", "btrfs",    "vfat",     "overlay", "fuse",
					   "nfs4", "9p",  "virtiofs", "squashfs", ""};
	static const char *const skipped[] = {"proc",  "sysfs",  "devtmpfs",
					      "tmpfs", "rootfs", "cgroup2"};

	(void)state;
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		assert_false(unmount_skips(kept[i]));
	for (size_t i = 0; i < sizeof(skipped) / sizeof(skipped[0]); i++)
		assert_true(unmount_skips(skipped[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_come_last_first),
		cmocka_unit_test(nothing_beyond_the_text_is_touched),
		cmocka_unit_test(what_keeps_data_is_not_skipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
