/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of this room share: memory, and files made of bytes. */
#ifndef VOLT_VMM_BOOT_BOOT_TEST_H
#define VOLT_VMM_BOOT_BOOT_TEST_H

#include <sys/mman.h>
#include <unistd.h>

#include "base/own.h"
#include "base/test.h"
#include "vmm/boot/boot.h"

static inline struct mem *test_mem(uint64_t size)
{
	struct mem_options options = {.size = size, .huge = MEM_HUGE_OFF};
	struct verr e = VERR_INIT;
	struct mem *mem = NULL;

	assert_ok(mem_new(&options, &mem, &e), &e);
	return mem;
}

static inline void test_mem_free(struct mem **mem)
{
	*mem = mem_free(*mem);
}

#define auto_mem __attribute__((cleanup(test_mem_free))) struct mem

/* A file with these bytes at its start and `size` bytes in all. */
static inline int test_file(const void *bytes, size_t len, uint64_t size)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

#endif
