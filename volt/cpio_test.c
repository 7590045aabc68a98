/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/cpio.h"

#include "volt/volt_test.h"

static void fill(struct cpio *c)
{
	struct verr e = VERR_INIT;

	assert_ok(cpio_folder(c, "etc", 0755, &e), &e);
	assert_ok(cpio_file(c, "etc/a", 0644, bytes_of("hello", 5), &e), &e);
	assert_ok(cpio_file(c, "init", 0755, bytes_of("", 0), &e), &e);
	assert_ok(cpio_end(c, &e), &e);
}

static void test_the_bytes_are_those_of_the_format(void **state)
{
	static const char wanted[] = "070701"
				     "00000002"
				     "000081A4"
				     "00000000"
				     "00000000"
				     "00000001"
				     "00000000"
				     "00000005"
				     "00000000"
				     "00000000"
				     "00000000"
				     "00000000"
				     "00000006"
				     "00000000"
				     "etc/a\0hello\0\0";
	struct cpio c = CPIO_INIT;

	(void)state;
	fill(&c);
	/* The folder before it: a header, "etc" and its NUL, padded. */
	assert_int_equal(c.len % 4, 0);
	assert_memory_equal(c.at + 116, wanted, sizeof(wanted) - 1);
	cpio_deinit(&c);
}

static void test_same_files_give_the_same_bytes(void **state)
{
	struct cpio a = CPIO_INIT, b = CPIO_INIT;

	(void)state;
	fill(&a);
	fill(&b);
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.at, b.at, a.len);
	cpio_deinit(&a);
	cpio_deinit(&b);
}

/* The system's own cpio takes it for what it is. */
static void test_cpio_reads_it(void **state)
{
	struct cpio c = CPIO_INIT;
	char path[128], command[512];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/archive", (const char *)*state);
	f = fopen(path, "w");
	assert_non_null(f);
	fill(&c);
	assert_int_equal(fwrite(c.at, 1, c.len, f), c.len);
	assert_int_equal(fclose(f), 0);
	cpio_deinit(&c);
	if (system("command -v cpio > /dev/null") != 0) /* NOLINT(cert-env33-c) */
		skip();
	(void)snprintf(command, sizeof(command),
		       "cd %s && cpio -i --quiet --no-preserve-owner < archive && "
		       "[ \"$(cat etc/a)\" = hello ] && [ -x init ]",
		       (const char *)*state);
	assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c) */
}

static void test_large_files_make_it_grow(void **state)
{
	struct cpio c = CPIO_INIT;
	struct verr e = VERR_INIT;
	size_t len = MIB(3) + 1;
	auto_free uint8_t *data = malloc(len);

	(void)state;
	memset(data, 0x5A, len);
	for (int i = 0; i < 3; i++)
		assert_ok(cpio_file(&c, "x", 0644, bytes_of(data, len), &e), &e);
	assert_true(c.len > 3 * len);
	assert_fault(cpio_file(&c, "x", 0644, bytes_of(data, GIB(1)), &e), &e, VERR_INVALID,
		     "at most");
	cpio_deinit(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_bytes_are_those_of_the_format),
		cmocka_unit_test(test_same_files_give_the_same_bytes),
		cmocka_unit_test(test_cpio_reads_it),
		cmocka_unit_test(test_large_files_make_it_grow),
	};

	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
