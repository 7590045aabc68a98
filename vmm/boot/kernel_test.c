/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/boot/boot_test.h"

#include <elf.h>
#include <fcntl.h>

#define HEAD 1024

static int load(const void *head, size_t len, uint64_t size, struct verr *e)
{
	auto_mem *mem = test_mem(MIB(2));
	auto_fd fd = test_file(head, len, size);
	struct boot_kernel k;

	return boot_load_kernel(mem, fd, size, BOOT_ENTRY_AUTO, &k, e);
}

static const struct {
	size_t offset;
	const char *bytes;
	size_t len;
	const char *cause;
} files[] = {
	{0, ELFMAG "\x01", 5, "a 32-bit ELF file"},
	{0x202, "HdrS\x05\x02", 6, "boot protocol 2.05"},
	{0, "\x1f\x8b\x08", 3, "not a kernel but a gzip file: unpack it first (gunzip)"},
	{0, "\3757zXZ\0", 6, "an xz file: unpack it first (unxz)"},
	{0, "BZh9", 4, "a bzip2 file"},
	{0, "\x28\xb5\x2f\xfd", 4, "a zstd file: unpack it first (unzstd)"},
	{0, "\x04\x22\x4d\x18", 4, "an LZ4 file: unpack it first (unlz4)"},
	{0, "\x02\x21\x4c\x18", 4, "an LZ4 file: unpack it first (unlz4)"},
	{56, "ARMd", 4, "an arm64 Linux image"},
	{56, "RSC\x05", 4, "a RISC-V Linux image"},
	{0, "\x27\x05\x19\x56", 4, "a U-Boot image"},
	{0, "MZ", 2, "an EFI program without Linux's boot header"},
	{0, "070701", 6, "a cpio archive: is this the initrd?"},
	{0, "QFI\xfb", 4, "a qcow2 disk image"},
	{0, "!<arch>\n", 8, "an archive"},
	{0, "#!/bin/sh\n", 10, "not a kernel but a script"},
	{0, "hello", 5, "1024 bytes that are neither an x86-64 ELF file (vmlinux) nor a bzImage"},
};

static void test_content_tells_what_a_file_is(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct verr e = VERR_INIT;
		char head[HEAD] = {0};

		memcpy(head + files[i].offset, files[i].bytes, files[i].len);
		assert_fault(load(head, sizeof(head), sizeof(head), &e), &e, VERR_INVALID,
			     files[i].cause);
	}
}

static void test_short_files_are_no_kernels(void **state)
{
	struct verr empty = VERR_INIT, one = VERR_INIT, script = VERR_INIT, elf = VERR_INIT;

	(void)state;
	assert_fault(load("", 0, 0, &empty), &empty, VERR_INVALID, "the file is empty");
	assert_fault(load("M", 1, 1, &one), &one, VERR_INVALID, "1 bytes that are neither");
	assert_fault(load("#!", 2, 2, &script), &script, VERR_INVALID, "a script");
	assert_fault(load(ELFMAG, SELFMAG, 4, &elf), &elf, VERR_INVALID,
		     "cut short: the ELF header is 64 bytes");
}

static void test_directory_is_refused(void **state)
{
	auto_mem *mem = test_mem(MIB(2));
	auto_fd fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct verr e = VERR_INIT;
	struct boot_kernel k;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(boot_load_kernel(mem, fd, HEAD, BOOT_ENTRY_AUTO, &k, &e), -1);
	assert_int_equal(e.os, EISDIR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_content_tells_what_a_file_is),
		cmocka_unit_test(test_short_files_are_no_kernels),
		cmocka_unit_test(test_directory_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
