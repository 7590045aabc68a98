/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/boot/boot_test.h"

#include <elf.h>

#include "base/bytes.h"
#include "vmm/arch/x86_64/layout.h"

#define MEMORY MIB(8)
#define TEXT_GPA 0x100000
#define TEXT_VADDR 0xFFFFFFFF80100000
#define DATA_GPA 0x102000
#define DATA_MEMSZ 0x2000
#define PVH_ENTRY (TEXT_GPA + 0x40)
#define LINUX_ENTRY (TEXT_GPA + 0x10)

struct note {
	Elf64_Nhdr head;
	char name[4];
	uint8_t desc[8];
};

/* A whole kernel file: text, data with bss, and notes. */
struct image {
	Elf64_Ehdr head;
	Elf64_Phdr ph[3];
	uint8_t text[256];
	uint8_t data[128];
	struct note notes[2];
};

static struct note pvh_note(uint32_t descsz)
{
	struct note n = {.head = {.n_namesz = 4, .n_descsz = descsz, .n_type = 18}, .name = "Xen"};

	put_le64(n.desc, PVH_ENTRY);
	return n;
}

static struct image good_image(void)
{
	struct image i = {
		.head = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
			 .e_type = ET_EXEC,
			 .e_machine = EM_X86_64,
			 .e_version = EV_CURRENT,
			 .e_entry = LINUX_ENTRY,
			 .e_phoff = offsetof(struct image, ph),
			 .e_ehsize = sizeof(Elf64_Ehdr),
			 .e_phentsize = sizeof(Elf64_Phdr),
			 .e_phnum = 3},
		.ph = {{.p_type = PT_LOAD,
			.p_offset = offsetof(struct image, text),
			.p_vaddr = TEXT_VADDR,
			.p_paddr = TEXT_GPA,
			.p_filesz = sizeof(i.text),
			.p_memsz = sizeof(i.text)},
		       {.p_type = PT_LOAD,
			.p_offset = offsetof(struct image, data),
			.p_paddr = DATA_GPA,
			.p_filesz = sizeof(i.data),
			.p_memsz = DATA_MEMSZ},
		       {.p_type = PT_NOTE,
			.p_offset = offsetof(struct image, notes),
			.p_filesz = sizeof(i.notes),
			.p_align = 4}},
		.notes = {{.head = {.n_namesz = 4, .n_descsz = 8, .n_type = 6}, .name = "Xen"},
			  pvh_note(8)},
	};

	memset(i.text, 0xAA, sizeof(i.text));
	memset(i.data, 0xBB, sizeof(i.data));
	return i;
}

static int load_into(struct mem *mem, const void *bytes, size_t len, enum boot_entry want,
		     struct boot_kernel *out, struct verr *e)
{
	auto_fd fd = test_file(bytes, len, len);

	return elf_load(mem, fd, len, want, out, e);
}

static int load(const struct image *i, enum boot_entry want, struct boot_kernel *out,
		struct verr *e)
{
	auto_mem *mem = test_mem(MEMORY);

	return load_into(mem, i, sizeof(*i), want, out, e);
}

static void assert_entry(const struct image *i, enum boot_entry want, enum boot_entry entry,
			 uint64_t gpa)
{
	struct verr e = VERR_INIT;
	struct boot_kernel k;

	assert_ok(load(i, want, &k, &e), &e);
	assert_int_equal(k.entry, entry);
	assert_int_equal(k.entry_gpa, gpa);
}

static void assert_refused(const struct image *i, enum boot_entry want, const char *cause)
{
	struct verr e = VERR_INIT;
	struct boot_kernel k;

	assert_fault(load(i, want, &k, &e), &e, VERR_INVALID, cause);
}

static void test_segments_are_loaded_at_their_physical_address(void **state)
{
	auto_mem *mem = test_mem(MEMORY);
	struct image i = good_image();
	uint8_t zero[DATA_MEMSZ - sizeof(i.data)] = {0};
	struct verr e = VERR_INIT;
	struct boot_kernel k;

	(void)state;
	assert_ok(load_into(mem, &i, sizeof(i), BOOT_ENTRY_AUTO, &k, &e), &e);
	assert_memory_equal(mem_ptr(mem, TEXT_GPA, sizeof(i.text)), i.text, sizeof(i.text));
	assert_memory_equal(mem_ptr(mem, DATA_GPA, sizeof(i.data)), i.data, sizeof(i.data));
	assert_memory_equal(mem_ptr(mem, DATA_GPA + sizeof(i.data), sizeof(zero)), zero,
			    sizeof(zero));
	assert_int_equal(mem_bytes_copied(mem), sizeof(i.text) + sizeof(i.data));
	assert_int_equal(k.end_gpa, DATA_GPA + DATA_MEMSZ);
	assert_int_equal(k.setup_header_len, 0);
	assert_int_equal(k.cmdline_max, 2047);
	assert_int_equal(k.initrd_limit, 0x80000000);
}

static void test_entry_is_as_wanted(void **state)
{
	struct image i = good_image();

	(void)state;
	assert_entry(&i, BOOT_ENTRY_AUTO, BOOT_ENTRY_PVH, PVH_ENTRY);
	assert_entry(&i, BOOT_ENTRY_PVH, BOOT_ENTRY_PVH, PVH_ENTRY);
	assert_entry(&i, BOOT_ENTRY_LINUX64, BOOT_ENTRY_LINUX64, LINUX_ENTRY);
	i.head.e_phnum = 2; /* no notes */
	assert_entry(&i, BOOT_ENTRY_AUTO, BOOT_ENTRY_LINUX64, LINUX_ENTRY);
	assert_refused(
		&i, BOOT_ENTRY_PVH,
		"has no PVH entry: use --entry linux64, or a kernel built with CONFIG_PVH=y");
}

static void test_virtual_entry_is_translated(void **state)
{
	struct image i = good_image();

	(void)state;
	i.head.e_entry = TEXT_VADDR + 0x20;
	assert_entry(&i, BOOT_ENTRY_LINUX64, BOOT_ENTRY_LINUX64, TEXT_GPA + 0x20);
	i.head.e_entry = TEXT_VADDR + sizeof(i.text);
	assert_refused(&i, BOOT_ENTRY_LINUX64, "its 64-bit entry 0xffffffff80100100 is outside");
}

static void test_note_comes_in_two_sizes_and_alignments(void **state)
{
	struct image i = good_image();

	(void)state;
	i.notes[1] = pvh_note(4);
	put_le32(i.notes[1].desc + 4, 0xFFFFFFFF); /* not part of it */
	assert_entry(&i, BOOT_ENTRY_PVH, BOOT_ENTRY_PVH, PVH_ENTRY);
	i = good_image();
	i.ph[2].p_align = 8;
	i.notes[0].head.n_descsz = 1;
	assert_entry(&i, BOOT_ENTRY_PVH, BOOT_ENTRY_PVH, PVH_ENTRY);
	i.ph[2].p_align = 0x123; /* nobody aligns like this: 4 */
	i.notes[0].head.n_descsz = 5;
	assert_entry(&i, BOOT_ENTRY_PVH, BOOT_ENTRY_PVH, PVH_ENTRY);
}

static void test_other_notes_are_none(void **state)
{
	struct image i = good_image();

	(void)state;
	memcpy(i.notes[1].name, "GNU", 4);
	assert_refused(&i, BOOT_ENTRY_PVH, "has no PVH entry");
	i = good_image();
	i.notes[1].head.n_type = 17;
	assert_refused(&i, BOOT_ENTRY_PVH, "has no PVH entry");
	i = good_image();
	i.notes[1].head.n_namesz = 3;
	assert_refused(&i, BOOT_ENTRY_PVH, "has no PVH entry");
	i = good_image();
	i.ph[2].p_filesz = sizeof(i.notes[0]) + sizeof(Elf64_Nhdr) - 1;
	assert_refused(&i, BOOT_ENTRY_PVH, "has no PVH entry");
	i.ph[2].p_filesz = 0;
	assert_refused(&i, BOOT_ENTRY_PVH, "has no PVH entry");
}

/* A field of a good image, what is put there, and the cause for which that is refused. */
static const struct patch {
	size_t offset;
	size_t len;
	uint64_t value;
	const char *cause;
} patches[] = {
#define AT(field) offsetof(struct image, field), sizeof(((struct image *)0)->field)
	{AT(head.e_ident[0]), 'X', "not an ELF file"},
	{AT(head.e_ident[EI_CLASS]), ELFCLASS32, "a 32-bit ELF file"},
	{AT(head.e_ident[EI_CLASS]), 7, "not an ELF-64 file: class 7"},
	{AT(head.e_ident[EI_VERSION]), 2, "version 2"},
	{AT(head.e_ident[EI_DATA]), ELFDATA2MSB, "a big-endian ELF file"},
	{AT(head.e_machine), EM_AARCH64, "another processor (machine 183, arm64)"},
	{AT(head.e_machine), EM_RISCV, "another processor (machine 243)"},
	{AT(head.e_type), ET_REL, "not linked yet"},
	{AT(head.e_type), ET_DYN, "-no-pie"},
	{AT(head.e_type), ET_CORE, "a core dump"},
	{AT(head.e_type), ET_NONE, "not executable"},
	{AT(head.e_phentsize), 55, "program headers of 55 bytes"},
	{AT(head.e_phnum), 0, "0 program headers: must be 1 to 64"},
	{AT(head.e_phnum), 65, "65 program headers: must be 1 to 64"},
	{AT(head.e_phnum), 0xFFFF, "65535 program headers"},
	{AT(head.e_phnum), 64, "cut short: the program header table is 3584 bytes"},
	{AT(head.e_phoff), sizeof(struct image) - 1, "cut short: the program header table"},
	{AT(head.e_phoff), UINT64_MAX - 64, "cut short: the program header table"},
	{AT(head.e_entry), 0, "its 64-bit entry 0 is outside what it loads"},
	{AT(head.e_entry), DATA_GPA + sizeof(((struct image *)0)->data), "outside what it loads"},
	{AT(head.e_entry), UINT64_MAX, "outside what it loads"},
	{AT(ph[0].p_filesz), 257, "segment 0: has 257 bytes in the file and only 256 in memory"},
	{AT(ph[0].p_memsz), 0, "segment 0: has 256 bytes in the file and only 0 in memory"},
	{AT(ph[0].p_offset), sizeof(struct image) - 255, "segment 0: cut short: it is 256 bytes"},
	{AT(ph[0].p_offset), UINT64_MAX - 100, "segment 0: cut short"},
	{AT(ph[0].p_paddr), 0, "segment 0: goes to 0, but what starts a guest is below 0x100000"},
	{AT(ph[0].p_paddr), LAYOUT_GDT, "goes to 0x500"},
	{AT(ph[0].p_paddr), 0xFFFFF, "goes to 0xfffff"},
	{AT(ph[0].p_paddr), UINT64_MAX - 254, "segment 0: goes to 0xffffffffffffff01 and wraps"},
	{AT(ph[0].p_paddr), MEMORY - 255, "it takes --memory 9M at least"},
	{AT(ph[0].p_paddr), MEM_HOLE_START - 255, "0xc0000000 in a guest of any size"},
	{AT(ph[0].p_paddr), MEM_HOLE_END, "0xc0000000 in a guest of any size"},
	{AT(ph[0].p_memsz), UINT64_MAX, "segment 0: goes to 0x100000 and wraps around"},
	{AT(ph[0].p_memsz), 0x2001, "segments 0 and 1 overlap in memory at 0x102000"},
	{AT(ph[1].p_paddr), 0x1000FF, "segments 0 and 1 overlap in memory at 0x1000ff"},
	{AT(ph[1].p_memsz), MEMORY, "it ends at 0x902000, guest memory at 0x800000"},
#undef AT
};

static void test_every_bad_field_is_refused(void **state)
{
	(void)state;
	for (size_t p = 0; p < ARRAY_LEN(patches); p++) {
		struct image i = good_image();
		uint8_t value[8];

		put_le64(value, patches[p].value);
		memcpy((uint8_t *)&i + patches[p].offset, value, patches[p].len);
		assert_refused(&i, BOOT_ENTRY_LINUX64, patches[p].cause);
	}
}

static void test_bad_notes_are_refused(void **state)
{
	struct image i = good_image();

	(void)state;
	i.notes[0].head.n_descsz = UINT32_MAX;
	assert_refused(&i, BOOT_ENTRY_AUTO, "note segment 2: a note runs past its end");
	i = good_image();
	i.notes[0].head.n_namesz = UINT32_MAX;
	assert_refused(&i, BOOT_ENTRY_AUTO, "note segment 2: a note runs past its end");
	i = good_image();
	i.notes[1].head.n_descsz = 6;
	assert_refused(&i, BOOT_ENTRY_AUTO, "has not 4 or 8 bytes");
	i = good_image();
	i.ph[2].p_filesz = KIB(64) + 1;
	assert_refused(&i, BOOT_ENTRY_AUTO, "note segment 2: 65537 bytes: at most 65536");
	i.ph[2].p_filesz = KIB(64);
	assert_refused(&i, BOOT_ENTRY_AUTO, "note segment 2: cut short");
	i = good_image();
	i.ph[2].p_offset = UINT64_MAX - 8;
	assert_refused(&i, BOOT_ENTRY_AUTO, "note segment 2: cut short");
	i = good_image();
	put_le64(i.notes[1].desc, PVH_ENTRY | 1ULL << 32);
	assert_refused(&i, BOOT_ENTRY_AUTO, "its PVH entry 0x100100040 is outside what it loads");
}

static void test_empty_segments_do_not_matter(void **state)
{
	struct image i = good_image();

	(void)state;
	i.ph[1].p_filesz = i.ph[1].p_memsz = 0;
	i.ph[1].p_paddr = UINT64_MAX;
	assert_entry(&i, BOOT_ENTRY_PVH, BOOT_ENTRY_PVH, PVH_ENTRY);
	i.ph[1] = i.ph[0];
	i.ph[0].p_filesz = i.ph[0].p_memsz = 0;
	i.ph[0].p_paddr = TEXT_GPA + 1; /* inside the other */
	assert_entry(&i, BOOT_ENTRY_PVH, BOOT_ENTRY_PVH, PVH_ENTRY);
	i.ph[1] = i.ph[0];
	assert_refused(&i, BOOT_ENTRY_PVH, "has no segment to load");
}

/* As in a vmlinux, whose notes are in its text, too. */
static void test_notes_may_overlap_a_segment(void **state)
{
	struct image i = good_image();
	Elf64_Phdr note = i.ph[2];

	(void)state;
	note.p_paddr = TEXT_GPA;
	note.p_memsz = sizeof(i.notes);
	i.ph[2] = i.ph[0];
	i.ph[0] = note;
	assert_entry(&i, BOOT_ENTRY_PVH, BOOT_ENTRY_PVH, PVH_ENTRY);
}

static void test_note_is_found_in_any_note_segment(void **state)
{
	struct image i = good_image();

	(void)state;
	i.ph[1] = i.ph[2];
	i.ph[1].p_filesz = sizeof(i.notes[0]);
	i.ph[2].p_offset += sizeof(i.notes[0]);
	i.ph[2].p_filesz = sizeof(i.notes[1]);
	assert_entry(&i, BOOT_ENTRY_PVH, BOOT_ENTRY_PVH, PVH_ENTRY);
	i.notes[0] = pvh_note(4);
	i.notes[1].head.n_type = 17;
	assert_entry(&i, BOOT_ENTRY_PVH, BOOT_ENTRY_PVH, PVH_ENTRY);
}

/* A pure bss has no bytes in the file, so its offset means nothing. */
static void test_bss_needs_no_file(void **state)
{
	struct image i = good_image();

	(void)state;
	i.ph[1].p_filesz = 0;
	i.ph[1].p_offset = sizeof(i) + 1;
	assert_entry(&i, BOOT_ENTRY_PVH, BOOT_ENTRY_PVH, PVH_ENTRY);
}

static void test_every_truncation_is_refused(void **state)
{
	auto_mem *mem = test_mem(MEMORY);
	struct image i = good_image();

	(void)state;
	for (size_t len = 0; len < sizeof(i); len++) {
		struct verr e = VERR_INIT;
		struct boot_kernel k;

		assert_fault(load_into(mem, &i, len, BOOT_ENTRY_AUTO, &k, &e), &e, VERR_INVALID,
			     "cut short");
	}
	assert_int_equal(mem_bytes_copied(mem), 0);
}

/* The file may shrink after its size was taken. */
static void test_file_that_shrinks_is_refused(void **state)
{
	auto_mem *mem = test_mem(MEMORY);
	struct image i = good_image();
	auto_fd fd = test_file(&i, offsetof(struct image, data), offsetof(struct image, data));
	struct verr e = VERR_INIT;
	struct boot_kernel k;

	(void)state;
	assert_fault(elf_load(mem, fd, sizeof(i), BOOT_ENTRY_LINUX64, &k, &e), &e, VERR_INVALID,
		     "segment 1: ends at offset");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_segments_are_loaded_at_their_physical_address),
		cmocka_unit_test(test_entry_is_as_wanted),
		cmocka_unit_test(test_virtual_entry_is_translated),
		cmocka_unit_test(test_note_comes_in_two_sizes_and_alignments),
		cmocka_unit_test(test_other_notes_are_none),
		cmocka_unit_test(test_every_bad_field_is_refused),
		cmocka_unit_test(test_bad_notes_are_refused),
		cmocka_unit_test(test_empty_segments_do_not_matter),
		cmocka_unit_test(test_notes_may_overlap_a_segment),
		cmocka_unit_test(test_note_is_found_in_any_note_segment),
		cmocka_unit_test(test_bss_needs_no_file),
		cmocka_unit_test(test_every_truncation_is_refused),
		cmocka_unit_test(test_file_that_shrinks_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
