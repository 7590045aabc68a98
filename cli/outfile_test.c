/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/outfile.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "base/test_files.h"

static void assert_content(const char *path, const char *text)
{
	char out[32] = "";
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(read(fd, out, sizeof(out) - 1), (ssize_t)strlen(text));
	assert_string_equal(out, text);
}

static void write_file(const char *path, const char *text, bool commit)
{
	struct outfile f;
	struct verr e = VERR_INIT;

	assert_ok(outfile_open(&f, path, &e), &e);
	assert_ok(outfile_write(f.fd, path, text, strlen(text), &e), &e);
	if (commit)
		assert_ok(outfile_commit(&f, &e), &e);
	outfile_deinit(&f);
}

static void test_file_is_whole_or_as_before(void **state)
{
	char path[PATH_MAX], command[PATH_MAX];
	struct stat st;
	mode_t mask = umask(027);

	(void)snprintf(path, sizeof(path), "%s/file", (char *)*state);
	write_file(path, "lost", false);
	assert_int_equal(access(path, F_OK), -1);
	write_file(path, "first", true);
	assert_content(path, "first");
	write_file(path, "lost", false);
	assert_content(path, "first");
	write_file(path, "second", true);
	assert_content(path, "second");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	(void)umask(mask);
	/* Nothing is left beside it. */
	(void)snprintf(command, sizeof(command), "test \"$(ls -A '%s')\" = file", (char *)*state);
	assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c) */
}

static void test_only_files_are_replaced(void **state)
{
	struct outfile f;
	struct verr folder = VERR_INIT, device = VERR_INIT, nowhere = VERR_INIT;

	assert_fault(outfile_open(&f, *state, &folder), &folder, VERR_INVALID,
		     "not a regular file");
	assert_fault(outfile_open(&f, "/dev/null", &device), &device, VERR_INVALID,
		     "not a regular file");
	assert_fault(outfile_open(&f, "/nowhere/file", &nowhere), &nowhere, VERR_INVALID,
		     "cannot write beside /nowhere/file: No such file");
	outfile_deinit(&f);
}

static void test_full_disk_is_a_fault(void **state)
{
	struct verr e = VERR_INIT;
	auto_fd full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	auto_fd from = test_file("abc", 3);

	(void)state;
	assert_int_equal(lseek(from, 0, SEEK_SET), 0);
	assert_fault(outfile_copy(from, "from", full, "to", &e), &e, VERR_HOST,
		     "write to: No space left on device");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file_is_whole_or_as_before),
		cmocka_unit_test(test_only_files_are_replaced),
		cmocka_unit_test(test_full_disk_is_a_fault),
	};

	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
