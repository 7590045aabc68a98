/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of this room share: files made of bytes, a tiny kernel, folders that go away. */
#ifndef VOLT_VOLT_VOLT_TEST_H
#define VOLT_VOLT_VOLT_TEST_H

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/own.h"
#include "base/test.h"

static inline int test_file(const void *bytes, size_t len)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	return fd;
}

/* An ELF-64 kernel with a segment and a note for PVH, and then room for a test's own bytes. */
struct test_kernel {
	Elf64_Ehdr head;
	Elf64_Phdr ph[2];
	struct {
		Elf64_Nhdr head;
		char name[4];
		uint32_t entry;
	} note;
	uint8_t code[4096];
};

#define TEST_KERNEL                                                                               \
	{                                                                                         \
		.head = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, \
				     EV_CURRENT},                                                 \
			 .e_type = ET_EXEC,                                                       \
			 .e_machine = EM_X86_64,                                                  \
			 .e_phoff = offsetof(struct test_kernel, ph),                             \
			 .e_phentsize = sizeof(Elf64_Phdr),                                       \
			 .e_phnum = 2},                                                           \
		.ph = {{.p_type = PT_LOAD,                                                        \
			.p_offset = offsetof(struct test_kernel, code),                           \
			.p_filesz = 4096},                                                        \
		       {.p_type = PT_NOTE,                                                        \
			.p_offset = offsetof(struct test_kernel, note),                           \
			.p_filesz = 20,                                                           \
			.p_align = 4}},                                                           \
		.note = {.head = {.n_namesz = 4, .n_descsz = 4, .n_type = 18},                    \
			 .name = "Xen",                                                           \
			 .entry = 0x100000},                                                      \
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
