/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void limit_is_exact(void **state)
{
	char path[] = "/tmp/volt-init-file-XXXXXX";
	int fd = mkstemp(path);
	size_t size = 99;

	(void)state;
	assert_true(fd >= 0);
	char *text = file_read(path, 0, &size);
	assert_non_null(text);
	assert_int_equal(size, 0);
	assert_string_equal(text, "");

	assert_int_equal(write(fd, "12345", 5), 5);
	text = file_read(path, 5, &size);
	assert_non_null(text);
	assert_int_equal(size, 5);
	assert_string_equal(text, "12345");
	assert_null(file_read(path, 4, &size));
	assert_int_equal(errno, EFBIG);
	close(fd);
	unlink(path);
}

static void errors_keep_their_errno(void **state)
{
	size_t size;

	(void)state;
	assert_null(file_read("/nonexistent", 10, &size));
	assert_int_equal(errno, ENOENT);
	assert_null(file_read("/tmp", 10, &size));
	assert_int_equal(errno, EISDIR);
}

static void files_without_a_size_are_read(void **state)
{
	size_t size;

	(void)state;
	char *text = file_read("/proc/self/status", 8192, &size);
	assert_non_null(text);
	assert_true(size > 100);
	assert_int_equal(strlen(text), size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limit_is_exact),
		cmocka_unit_test(errors_keep_their_errno),
		cmocka_unit_test(files_without_a_size_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
