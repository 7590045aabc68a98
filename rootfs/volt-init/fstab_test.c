/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/fstab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void entries_are_cut(void **state)
{
	char text[] = "# <file system> <mount point>\n"
		      "\n"
		      "UUID=1-2  /  ext4\terrors=remount-ro 0 1\n"
		      "  \t\n"
		      "tmpfs /run/a\\040b tmpfs\n"
		      "too few\n"
		      "\t/swap none swap sw 0 0";
	char *at = text;
	struct fstab_entry entry;

	(void)state;
	assert_int_equal(fstab_next(&at, &entry), FSTAB_ENTRY);
	assert_string_equal(entry.source, "UUID=1-2");
	assert_string_equal(entry.target, "/");
	assert_string_equal(entry.type, "ext4");
	assert_string_equal(entry.options, "errors=remount-ro");
	assert_int_equal(fstab_next(&at, &entry), FSTAB_ENTRY);
	assert_string_equal(entry.target, "/run/a b");
	assert_string_equal(entry.type, "tmpfs");
	assert_string_equal(entry.options, "");
	assert_int_equal(fstab_next(&at, &entry), FSTAB_BAD);
	assert_int_equal(fstab_next(&at, &entry), FSTAB_ENTRY);
	assert_string_equal(entry.source, "/swap");
	assert_string_equal(entry.options, "sw");
	assert_int_equal(fstab_next(&at, &entry), FSTAB_END);
	assert_int_equal(fstab_next(&at, &entry), FSTAB_END);
}

static void nothing_gives_nothing(void **state)
{
	char empty[] = "";
	char *at = empty;
	char *none = NULL;
	struct fstab_entry entry;

	(void)state;
	assert_int_equal(fstab_next(&at, &entry), FSTAB_END);
	assert_int_equal(fstab_next(&none, &entry), FSTAB_END);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_are_cut),
		cmocka_unit_test(nothing_gives_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
