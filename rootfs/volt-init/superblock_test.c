/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/superblock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int make_disk(off_t size)
{
	int fd = memfd_create("disk", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
	return fd;
}

static void put(int fd, off_t at, const void *bytes, size_t size)
{
	assert_int_equal(pwrite(fd, bytes, size, at), (ssize_t)size);
}

static const unsigned char uuid[16] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
				       0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10};
#define UUID "01234567-89ab-cdef-fedc-ba9876543210"

static void each_kind_is_known(void **state)
{
	static const struct {
		const char *type;
		off_t magic_at;
		const char *magic;
		off_t uuid_at;
		off_t label_at;
	} cases[] = {
		{"ext4", 0x438, "\x53\xef", 0x468, 0x478},
		{"xfs", 0, "XFSB", 32, 108},
		{"btrfs", 0x10040, "_BHRfS_M", 0x10020, 0x1012b},
		{"erofs", 1024, "\xe2\xe1\xf5\xe0", 1024 + 48, 1024 + 64},
		{"squashfs", 0, "hsqs", 0, 0},
		{"swap", 4096 - 10, "SWAPSPACE2", 1024 + 12, 1024 + 28},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fd = make_disk(1 << 20);
		struct superblock found;

		put(fd, cases[i].magic_at, cases[i].magic, strlen(cases[i].magic));
		if (cases[i].uuid_at > 0) {
			put(fd, cases[i].uuid_at, uuid, sizeof(uuid));
			put(fd, cases[i].label_at, "disk", 4);
		}
		assert_true(superblock_read(fd, &found));
		assert_string_equal(found.type, cases[i].type);
		assert_string_equal(found.uuid, cases[i].uuid_at > 0 ? UUID : "");
		assert_string_equal(found.label, cases[i].uuid_at > 0 ? "disk" : "");
		close(fd);
	}
}

static void label_may_be_as_long_as_its_place(void **state)
{
	int fd = make_disk(1 << 20);
	struct superblock found;

	(void)state;
	put(fd, 0x438, "\x53\xef", 2);
	put(fd, 0x478, "0123456789abcdefX", 17);
	assert_true(superblock_read(fd, &found));
	assert_string_equal(found.label, "0123456789abcdef");
	close(fd);
}

static void nothing_is_nothing(void **state)
{
	static const off_t sizes[] = {0, 1, 1081, 4090, 1 << 20};
	struct superblock found;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		int fd = make_disk(sizes[i]);

		assert_false(superblock_read(fd, &found));
		close(fd);
	}
	assert_false(superblock_read(-1, &found));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_is_known),
		cmocka_unit_test(label_may_be_as_long_as_its_place),
		cmocka_unit_test(nothing_is_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
