/* SPDX-License-Identifier: Apache-2.0 */
/* What tests put into files: bytes, and folders that go away. */
#ifndef VOLT_BASE_TEST_FILES_H
#define VOLT_BASE_TEST_FILES_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/own.h"
#include "base/test.h"

static inline int test_file(const void *bytes, size_t len)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	return fd;
}

/* A folder under /tmp; cmocka's teardown removes it and all that is in it. */
static inline int test_folder_make(void **state)
{
	char *path = strdup("/tmp/volt-test.XXXXXX");

	*state = path;
	return path != NULL && mkdtemp(path) != NULL ? 0 : -1;
}

static inline int test_folder_remove(void **state)
{
	auto_free char *path = *state;
	char command[128];

	(void)snprintf(command, sizeof(command), "rm -rf '%s'", path);
	return system(command); /* NOLINT(cert-env33-c): a name of our own */
}

#endif
