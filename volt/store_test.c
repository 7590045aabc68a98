/* SPDX-License-Identifier: Apache-2.0 */
/* The store and the way into it. */
#include "volt/store.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "volt/stage.h"
#include "volt/volt_test.h"

static void test_names(void **state)
{
	static const struct {
		const char *name, *cause;
	} bad[] = {
		{"", "1 to 100 characters, not 0"}, {".hidden", "must not begin with ."},
		{"..", "must not begin with ."},    {"-o", "must not begin with -"},
		{"a/b", "only A-Z a-z 0-9"},        {"a b", "only A-Z a-z 0-9"},
		{"a\nb", "only A-Z a-z 0-9"},       {"\xC3\xA4", "only A-Z a-z 0-9"},
	};
	char longest[STORE_NAME_MAX + 2];
	struct verr e = VERR_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct verr why = VERR_INIT;

		assert_fault(store_check_name(bad[i].name, &why), &why, VERR_INVALID, bad[i].cause);
	}
	assert_ok(store_check_name("6.1.0-9~bpo+1_x-amd64", &e), &e);
	memset(longest, 'a', sizeof(longest));
	longest[STORE_NAME_MAX] = '\0';
	assert_ok(store_check_name(longest, &e), &e);
	longest[STORE_NAME_MAX] = 'a';
	longest[STORE_NAME_MAX + 1] = '\0';
	assert_fault(store_check_name(longest, &e), &e, VERR_INVALID, "not 101");
}

static void test_origin_values(void **state)
{
	const char *text = "release: 6.1\nfrom: /boot/a b\nempty: \nlast: x";
	char out[16];

	(void)state;
	assert_true(store_origin_value(text, "release", out, sizeof(out)));
	assert_string_equal(out, "6.1");
	assert_true(store_origin_value(text, "from", out, sizeof(out)));
	assert_string_equal(out, "/boot/a b");
	assert_true(store_origin_value(text, "empty", out, sizeof(out)));
	assert_string_equal(out, "");
	assert_true(store_origin_value(text, "last", out, sizeof(out)));
	assert_string_equal(out, "x");
	assert_false(store_origin_value(text, "rel", out, sizeof(out)));
	assert_false(store_origin_value(text, "6.1", out, sizeof(out)));
	assert_false(store_origin_value("", "release", out, sizeof(out)));
	assert_false(store_origin_value("release: 0123456789abcdef", "release", out, sizeof(out)));
}

static void test_place_by_environment(void **state)
{
	struct store s;
	struct verr relative = VERR_INIT, none = VERR_INIT, e = VERR_INIT;
	char wanted[PATH_MAX];

	(void)unsetenv("HOME");
	(void)setenv("XDG_DATA_HOME", "relative", 1);
	assert_fault(store_open(&s, true, &relative), &relative, VERR_INVALID, "set HOME or");
	(void)unsetenv("XDG_DATA_HOME");
	assert_fault(store_open(&s, true, &none), &none, VERR_INVALID, "set HOME or");
	(void)setenv("HOME", *state, 1);
	assert_ok(store_open(&s, false, &e), &e);
	assert_int_equal(s.fd, -1);
	assert_ok(store_open(&s, true, &e), &e);
	(void)snprintf(wanted, sizeof(wanted), "%s/.local/share/volt/kernels", (char *)*state);
	assert_string_equal(s.path, wanted);
	assert_true(s.fd >= 0);
	store_close(&s);
}

static void open_store(struct store *s, void **state)
{
	struct verr e = VERR_INIT;

	(void)setenv("XDG_DATA_HOME", *state, 1);
	assert_ok(store_open(s, true, &e), &e);
}

static void put(const struct store *s, const char *name, const char *text)
{
	struct stage st;
	struct verr e = VERR_INIT;

	assert_ok(stage_open(&st, s, &e), &e);
	assert_ok(stage_put(&st, STORE_KERNEL, text, strlen(text), &e), &e);
	assert_ok(stage_commit(&st, name, &e), &e);
	stage_deinit(&st);
}

static void assert_content(const struct store *s, const char *path, const char *text)
{
	char out[64] = "";
	auto_fd fd = openat(s->fd, path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(read(fd, out, sizeof(out) - 1), (ssize_t)strlen(text));
	assert_string_equal(out, text);
}

static void assert_nothing_new(const struct store *s)
{
	char command[PATH_MAX + 32];

	(void)snprintf(command, sizeof(command), "ls -A '%s' | grep -q '^.new'", s->path);
	assert_int_not_equal(system(command), 0); /* NOLINT(cert-env33-c) */
}

static void test_kernels_are_put_and_replaced(void **state)
{
	struct store s;

	open_store(&s, state);
	put(&s, "a", "one");
	assert_content(&s, "a/vmlinux", "one");
	put(&s, "a", "two!");
	assert_content(&s, "a/vmlinux", "two!");
	put(&s, "b", "three");
	assert_content(&s, "a/vmlinux", "two!");
	assert_content(&s, "b/vmlinux", "three");
	assert_nothing_new(&s);
	store_close(&s);
}

static void test_what_is_not_committed_goes_away(void **state)
{
	struct store s;
	struct stage st;
	struct verr e = VERR_INIT;

	open_store(&s, state);
	assert_ok(stage_open(&st, &s, &e), &e);
	assert_ok(stage_put(&st, STORE_KERNEL, "x", 1, &e), &e);
	stage_deinit(&st);
	assert_nothing_new(&s);
	store_close(&s);
}

/* As after a kill: the folder is there, the lock is not. One that is in use stays. */
static void test_remains_are_swept(void **state)
{
	struct store s;
	struct stage used;
	struct verr e = VERR_INIT;

	open_store(&s, state);
	assert_ok(stage_open(&used, &s, &e), &e);
	assert_int_equal(mkdirat(s.fd, ".new.AAAAAA", 0755), 0);
	put(&s, "c", "x");
	assert_int_equal(faccessat(s.fd, ".new.AAAAAA", F_OK, 0), -1);
	assert_ok(stage_put(&used, STORE_KERNEL, "y", 1, &e), &e);
	assert_ok(stage_commit(&used, "d", &e), &e);
	assert_content(&s, "d/vmlinux", "y");
	stage_deinit(&used);
	store_close(&s);
}

static void test_file_in_the_way_is_a_fault(void **state)
{
	struct store s;
	struct stage st;
	struct verr e = VERR_INIT;
	auto_fd file = -1;

	open_store(&s, state);
	file = openat(s.fd, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_ok(stage_open(&st, &s, &e), &e);
	assert_fault(stage_commit(&st, "file", &e), &e, VERR_HOST, "/file: Not a directory");
	stage_deinit(&st);
	assert_nothing_new(&s);
	store_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_origin_values),
		cmocka_unit_test(test_place_by_environment),
		cmocka_unit_test(test_kernels_are_put_and_replaced),
		cmocka_unit_test(test_what_is_not_committed_goes_away),
		cmocka_unit_test(test_remains_are_swept),
		cmocka_unit_test(test_file_in_the_way_is_a_fault),
	};

	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
