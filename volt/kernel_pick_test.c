/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/kernel_pick.h"

#include <fcntl.h>
#include <limits.h>

#include "volt/volt_test.h"

static void add(const char *folder, const char *name)
{
	char path[PATH_MAX];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	(void)close(fd);
}

static void assert_picked(const char *folder, const char *name)
{
	char path[PATH_MAX];
	struct verr e = VERR_INIT;

	assert_ok(kernel_pick(folder, path, sizeof(path), &e), &e);
	assert_string_equal(strrchr(path, '/') + 1, name);
}

static void test_newest_for_the_cloud_first(void **state)
{
	char path[PATH_MAX];
	struct verr none = VERR_INIT, no_folder = VERR_INIT;

	add(*state, "config-6.1");
	assert_fault(kernel_pick(*state, path, sizeof(path), &none), &none, VERR_NOT_FOUND,
		     "linux-image-cloud-amd64");
	add(*state, "vmlinuz-6.1.0-9-amd64");
	assert_picked(*state, "vmlinuz-6.1.0-9-amd64");
	add(*state, "vmlinuz-6.1.0-10-amd64");
	add(*state, "vmlinuz-6.1.0-11-amd64.old");
	add(*state, "vmlinuz-6.1.0-12-amd64.dpkg-new");
	assert_picked(*state, "vmlinuz-6.1.0-10-amd64");
	add(*state, "vmlinuz-5.10.0-8-cloud-amd64");
	assert_picked(*state, "vmlinuz-5.10.0-8-cloud-amd64");
	add(*state, "vmlinuz-5.10.0-28-cloud-amd64");
	assert_picked(*state, "vmlinuz-5.10.0-28-cloud-amd64");
	assert_fault(kernel_pick("/nowhere", path, sizeof(path), &no_folder), &no_folder,
		     VERR_INVALID, "/nowhere: name a file");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_newest_for_the_cloud_first)};

	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
