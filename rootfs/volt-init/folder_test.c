/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* More than one buffer of names. */
#define FILES 300

static void every_name_comes_once(void **state)
{
	char path[] = "/tmp/volt-init-folder-XXXXXX";
	bool seen[FILES] = {false};
	struct folder folder;
	const char *name;
	char text[32];
	int count = 0;

	(void)state;
	assert_non_null(mkdtemp(path));
	assert_true(folder_open(&folder, AT_FDCWD, path));
	assert_null(folder_next(&folder));
	for (int i = 0; i < FILES; i++) {
		(void)snprintf(text, sizeof(text), "a-file-with-a-name-%d", i);
		int fd = openat(folder.fd, text, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		close(fd);
	}
	folder_close(&folder);

	assert_true(folder_open(&folder, AT_FDCWD, path));
	while ((name = folder_next(&folder))) {
		int i = atoi(strrchr(name, '-') + 1); /* NOLINT(cert-err34-c): our own */

		assert_in_range(i, 0, FILES - 1);
		assert_false(seen[i]);
		seen[i] = true;
		count++;
		/* As the old root is emptied. */
		assert_int_equal(unlinkat(folder.fd, name, 0), 0);
	}
	assert_int_equal(count, FILES);
	folder_close(&folder);
	assert_int_equal(rmdir(path), 0);
}

static void what_is_no_folder_is_not_opened(void **state)
{
	struct folder folder;

	(void)state;
	assert_false(folder_open(&folder, AT_FDCWD, "/nonexistent"));
	folder_close(&folder);
	assert_false(folder_open(&folder, AT_FDCWD, "/proc/self")); /* a link */
	assert_false(folder_open(&folder, AT_FDCWD, "/dev/null"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_name_comes_once),
		cmocka_unit_test(what_is_no_folder_is_not_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
