/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/mounts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <sys/mount.h>

static const struct mount_row *find(const char *target, size_t *place)
{
	size_t count;
	const struct mount_row *rows = mounts_table(&count);

	for (size_t i = 0; i < count; i++) {
		if (strcmp(rows[i].target, target) == 0) {
			*place = i;
			return &rows[i];
		}
	}
	return NULL;
}

static void what_others_stand_on_comes_first(void **state)
{
	size_t count;
	const struct mount_row *rows = mounts_table(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(rows[i].target);

		assert_int_equal(rows[i].target[0], '/');
		assert_true(length + sizeof("/..") <= 64);
		for (size_t j = i + 1; j < count; j++) {
			bool above = strncmp(rows[j].target, rows[i].target,
					     strlen(rows[j].target)) == 0;

			assert_false(above);
		}
	}
}

static void every_row_is_as_safe_as_is_customary(void **state)
{
	static const struct {
		const char *target;
		const char *type;
		unsigned long flags;
	} wanted[] = {
		{"/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC},
		{"/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC},
		{"/sys/fs/cgroup", "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC},
		{"/dev", "devtmpfs", MS_NOSUID},
		{"/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC},
		{"/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV},
		{"/run", "tmpfs", MS_NOSUID | MS_NODEV},
		{"/tmp", "tmpfs", MS_NOSUID | MS_NODEV},
	};
	size_t count, place;

	(void)state;
	(void)mounts_table(&count);
	assert_int_equal(count, sizeof(wanted) / sizeof(wanted[0]));
	for (size_t i = 0; i < count; i++) {
		const struct mount_row *row = find(wanted[i].target, &place);

		assert_non_null(row);
		assert_string_equal(row->type, wanted[i].type);
		assert_int_equal(row->flags, wanted[i].flags);
		/* Only /tmp may be the disk's own. */
		assert_int_equal(row->writable_is_enough, strcmp(row->target, "/tmp") == 0);
	}
}

static void first_rows_are_proc_and_dev(void **state)
{
	size_t place = SIZE_MAX;

	(void)state;
	assert_non_null(find("/proc", &place));
	assert_true(place < 2);
	assert_non_null(find("/dev", &place));
	assert_true(place < 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_others_stand_on_comes_first),
		cmocka_unit_test(every_row_is_as_safe_as_is_customary),
		cmocka_unit_test(first_rows_are_proc_and_dev),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
