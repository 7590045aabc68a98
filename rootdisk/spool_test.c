/* SPDX-License-Identifier: Apache-2.0 */
#include "rootdisk/spool.h"

#include <fcntl.h>

#include "base/test_files.h"

static void assert_twice(int fd)
{
	char text[8] = "";

	for (int i = 0; i < 2; i++) {
		assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
		assert_int_equal(read(fd, text, sizeof(text)), 4);
		assert_memory_equal(text, "once", 4);
	}
}

static void test_pipe(void **state)
{
	char path[128], command[256];
	struct verr e = VERR_INIT;
	auto_fd out = -1;
	int ends[2];

	(void)snprintf(path, sizeof(path), "%s/disk", (char *)*state);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(write(ends[1], "once", 4), 4);
	(void)close(ends[1]);
	assert_ok(spool_input(ends[0], path, &out, &e), &e);
	assert_twice(out);
	(void)snprintf(command, sizeof(command), "test -z \"$(ls -A '%s')\"", (char *)*state);
	assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c) */
}

static void test_file_is_used_as_it_is(void **state)
{
	struct verr e = VERR_INIT;
	auto_fd out = -1;
	int in = test_file("once", 4);

	(void)state;
	assert_int_equal(lseek(in, 0, SEEK_SET), 0);
	assert_ok(spool_input(in, "/nowhere/disk", &out, &e), &e);
	assert_int_equal(out, in);
	assert_twice(out);
}

static void test_faults(void **state)
{
	struct verr nowhere = VERR_INIT, folder = VERR_INIT;
	int in = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC), out = -1;
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/disk", (char *)*state);
	assert_fault(spool_open("/nowhere/disk", &nowhere), &nowhere, VERR_HOST, "No such file");
	assert_fault(spool_input(in, path, &out, &folder), &folder, VERR_INVALID, "Is a directory");
	assert_int_equal(out, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pipe),
		cmocka_unit_test(test_file_is_used_as_it_is),
		cmocka_unit_test(test_faults),
	};

	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
