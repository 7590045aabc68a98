/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of this room share: a tiny kernel. */
#ifndef VOLT_VOLT_VOLT_TEST_H
#define VOLT_VOLT_VOLT_TEST_H

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/own.h"
#include "base/test_files.h"

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

#endif
