/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/vmlinux.h"

#include "volt/volt_test.h"

static int inspect(const struct test_kernel *k, size_t len, struct vmlinux *out, struct verr *e)
{
	auto_fd fd = test_file(k, len);

	return vmlinux_inspect(fd, len, out, e);
}

static void test_note_of_pvh_is_found(void **state)
{
	struct test_kernel k = TEST_KERNEL;
	struct vmlinux found;
	struct verr e = VERR_INIT;

	(void)state;
	assert_ok(inspect(&k, sizeof(k), &found, &e), &e);
	assert_true(found.pvh);
	k.note.head.n_type = 17;
	assert_ok(inspect(&k, sizeof(k), &found, &e), &e);
	assert_false(found.pvh);
	k.head.e_phnum = 1;
	assert_ok(inspect(&k, sizeof(k), &found, &e), &e);
	assert_false(found.pvh);
}

static void test_wild_notes_do_no_harm(void **state)
{
	static const uint32_t lengths[] = {0, 3, 5, 100, 0xFFFFFFFC, UINT32_MAX};
	struct vmlinux found;
	struct verr e = VERR_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		struct test_kernel names = TEST_KERNEL, descs = TEST_KERNEL;

		names.note.head.n_namesz = lengths[i];
		assert_ok(inspect(&names, sizeof(names), &found, &e), &e);
		assert_false(found.pvh);
		descs.note.head.n_descsz = lengths[i];
		assert_ok(inspect(&descs, sizeof(descs), &found, &e), &e);
		assert_int_equal(found.pvh, lengths[i] < 4);
	}
}

static void test_truncated_kernels_are_refused(void **state)
{
	struct test_kernel k = TEST_KERNEL;
	struct vmlinux found;

	(void)state;
	for (size_t len = 0; len < sizeof(k); len += len < 300 ? 1 : 97) {
		struct verr e = VERR_INIT;

		assert_fault(inspect(&k, len, &found, &e), &e, VERR_INVALID,
			     len < sizeof(k.head) ? "not an ELF file" : "cut short");
	}
}

static void test_other_files_are_refused(void **state)
{
	struct test_kernel k32 = TEST_KERNEL, arm = TEST_KERNEL, pie = TEST_KERNEL,
			   none = TEST_KERNEL, many = TEST_KERNEL, far = TEST_KERNEL,
			   notes = TEST_KERNEL, idle = TEST_KERNEL, text = TEST_KERNEL;
	const struct {
		const struct test_kernel *k;
		const char *cause;
	} cases[] = {
		{&k32, "not an x86-64 ELF file: class 1"},
		{&arm, "machine 183"},
		{&pie, "another kind of ELF file: type 3"},
		{&none, "0 program headers"},
		{&many, "65 program headers"},
		{&far, "program headers are past its end"},
		{&notes, "65537 bytes of notes"},
		{&idle, "nothing to load"},
		{&text, "not an ELF file"},
	};

	(void)state;
	k32.head.e_ident[EI_CLASS] = ELFCLASS32;
	arm.head.e_machine = EM_AARCH64;
	pie.head.e_type = ET_DYN;
	none.head.e_phnum = 0;
	many.head.e_phnum = 65;
	far.head.e_phoff = UINT64_MAX - 8;
	notes.ph[1].p_filesz = 65537;
	notes.ph[1].p_offset = 0;
	idle.ph[0].p_filesz = 0;
	text.head.e_ident[0] = '#';
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_fd fd = test_file(cases[i].k, sizeof(*cases[i].k));
		struct vmlinux found;
		struct verr e = VERR_INIT;

		assert_int_equal(ftruncate(fd, 70000), 0);
		assert_fault(vmlinux_inspect(fd, 70000, &found, &e), &e, VERR_INVALID,
			     cases[i].cause);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_note_of_pvh_is_found),
		cmocka_unit_test(test_wild_notes_do_no_harm),
		cmocka_unit_test(test_truncated_kernels_are_refused),
		cmocka_unit_test(test_other_files_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
