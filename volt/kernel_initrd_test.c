/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/kernel_initrd.h"

#include <sys/stat.h>

#include "contract/initrd.h"
#include "volt/volt_test.h"

static void put(const char *folder, const char *name, const char *bytes, size_t len)
{
	char path[256];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static void put_text(const char *folder, const char *name, const char *text)
{
	put(folder, name, text, strlen(text));
}

#define MODULE \
	"\x7F" \
	"ELF vermagic=6.1-test SMP"

static void put_modules(const char *folder)
{
	static const char *const names[] = {"virtio", "virtio_mmio", "virtio-rng", "virtio_net"};
	char file[64];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		(void)snprintf(file, sizeof(file), "%s.ko", names[i]);
		put_text(folder, file, MODULE);
	}
	put_text(folder, "modules.dep",
		 "virtio.ko:\nvirtio_mmio.ko: virtio.ko\nvirtio-rng.ko: virtio.ko\n"
		 "virtio_net.ko: virtio.ko\n");
	put_text(folder, "modules.builtin", "kernel/drivers/block/virtio_blk.ko\nfs/ext4.ko\n");
	put_text(folder, "volt-init", "the program");
}

static int make(const char *folder, const char *release, struct cpio *out, bool *made,
		struct verr *e)
{
	char program[256];
	struct initrd_source source = {.release = release, .modules = folder, .volt_init = program};

	(void)snprintf(program, sizeof(program), "%s/volt-init", folder);
	return kernel_initrd_make(&source, out, made, e);
}

static void assert_holds(const struct cpio *c, const char *text)
{
	if (memmem(c->at, c->len, text, strlen(text)) == NULL)
		fail_msg("\"%s\" is not in the archive", text);
}

static void test_what_is_needed_is_in_it(void **state)
{
	struct cpio a = CPIO_INIT, b = CPIO_INIT;
	struct verr e = VERR_INIT;
	bool made = false;

	put_modules(*state);
	assert_ok(make(*state, "6.1-test", &a, &made, &e), &e);
	assert_true(made);
	assert_holds(&a, "/modules/virtio.ko\n/modules/virtio_mmio.ko\n/modules/virtio_net.ko\n"
			 "/modules/virtio_rng.ko\n");
	assert_holds(&a, "the program");
	assert_null(memmem(a.at, a.len, "ext4", 4));
	assert_ok(make(*state, "6.1-test", &b, &made, &e), &e);
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.at, b.at, a.len);
	cpio_deinit(&a);
	cpio_deinit(&b);
}

static void test_all_built_in_needs_none(void **state)
{
	struct cpio c = CPIO_INIT;
	struct verr e = VERR_INIT;
	bool made = true;

	put_text(*state, "modules.dep", "");
	put_text(
		*state, "modules.builtin",
		"a/virtio_mmio.ko\na/virtio_blk.ko\na/ext4.ko\na/virtio_net.ko\na/virtio-rng.ko\n");
	assert_ok(make(*state, "", &c, &made, &e), &e);
	assert_false(made);
	assert_int_equal(c.len, 0);
}

static void test_modules_of_another_kernel_are_refused(void **state)
{
	struct cpio c = CPIO_INIT;
	struct verr other = VERR_INIT, longer = VERR_INIT, none = VERR_INIT;
	bool made;

	put_modules(*state);
	assert_fault(make(*state, "6.1", &c, &made, &other), &other, VERR_INVALID,
		     "virtio.ko: is for the kernel 6.1-test, not 6.1");
	assert_fault(make(*state, "6.1-test-2", &c, &made, &longer), &longer, VERR_INVALID,
		     "not 6.1-test-2");
	assert_false(made);
	put_text(*state, "virtio.ko", "no module");
	assert_fault(make(*state, "6.1-test", &c, &made, &none), &none, VERR_INVALID,
		     "virtio.ko: not a kernel module");
	cpio_deinit(&c);
}

static void test_missing_files_are_named(void **state)
{
	struct cpio c = CPIO_INIT;
	struct verr module = VERR_INIT, lists = VERR_INIT;
	char path[256];
	bool made;

	put_modules(*state);
	(void)snprintf(path, sizeof(path), "%s/virtio_net.ko", (const char *)*state);
	assert_int_equal(unlink(path), 0);
	assert_fault(make(*state, "6.1-test", &c, &made, &module), &module, VERR_INVALID,
		     "virtio_net.ko");
	assert_fault(make("/nowhere", "6.1-test", &c, &made, &lists), &lists, VERR_NOT_FOUND,
		     "/nowhere/modules.dep");
	cpio_deinit(&c);
}

static void test_drivers_are_found_in_a_kernel(void **state)
{
	static const char all[] = "xx\0virtio-mmio\0\0virtio_blk\0ext4\0";
	static const char parts[] = "xx\0virtio-mmio\0\0virtio_blk_\0ext4\0";

	(void)state;
	assert_true(kernel_initrd_is_complete(bytes_of(all, sizeof(all))));
	assert_false(kernel_initrd_is_complete(bytes_of(parts, sizeof(parts))));
	assert_false(kernel_initrd_is_complete(bytes_of(all, sizeof(all) - 2)));
	assert_false(kernel_initrd_is_complete(bytes_of("", 0)));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, test_folder_make, test_folder_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_is_needed_is_in_it),
		TEST(test_all_built_in_needs_none),
		TEST(test_modules_of_another_kernel_are_refused),
		TEST(test_missing_files_are_named),
		TEST(test_drivers_are_found_in_a_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
