/* SPDX-License-Identifier: Apache-2.0 */
#include "stellarium/image/names.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/test_files.h"
#include "stellarium/chunk/hash.h"

static const struct seal_store ours = {.bytes = {9}};

static int make_log(void **state)
{
	int fd = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct verr e = VERR_INIT;

	assert_true(fd >= 0);
	assert_ok(names_create(fd, &ours, &e), &e);
	return fd;
}

static void set(int dir, const char *name, unsigned int number)
{
	struct names_change c = NAMES_CHANGE_INIT;
	struct stel_id id = chunk_hash(&number, sizeof(number));
	struct verr e = VERR_INIT;

	assert_ok(names_begin(&c, dir, &ours, &e), &e);
	assert_ok(names_set(&c, name, &id, number, &e), &e);
	assert_ok(names_commit(&c, &e), &e);
	names_change_deinit(&c);
}

static void expect(int dir, const char *name, uint64_t size)
{
	struct names n;
	struct verr e = VERR_INIT;
	const struct names_entry *entry;

	assert_ok(names_read(&n, dir, &ours, &e), &e);
	entry = names_find(&n, name);
	if (size == 0) {
		assert_null(entry);
	} else {
		assert_non_null(entry);
		assert_int_equal(entry->size, size);
	}
	names_deinit(&n);
}

static void test_changes_happen_together_or_not(void **state)
{
	auto_fd dir = make_log(state);
	struct names_change c = NAMES_CHANGE_INIT;
	struct stel_id id = chunk_hash("", 0);
	struct verr e = VERR_INIT;

	set(dir, "a", 1);
	set(dir, "b", 2);
	set(dir, "a", 3);
	expect(dir, "a", 3);
	expect(dir, "b", 2);
	expect(dir, "c", 0);
	assert_ok(names_begin(&c, dir, &ours, &e), &e);
	assert_ok(names_set(&c, "c", &id, 4, &e), &e);
	assert_ok(names_unset(&c, "a", &e), &e);
	names_change_deinit(&c); /* no commit */
	expect(dir, "a", 3);
	assert_ok(names_begin(&c, dir, &ours, &e), &e);
	assert_ok(names_set(&c, "c", &id, 4, &e), &e);
	assert_ok(names_unset(&c, "a", &e), &e);
	assert_fault(names_unset(&c, "a", &e), &e, VERR_NOT_FOUND, "a: there is no such image");
	e = (struct verr)VERR_INIT;
	assert_ok(names_commit(&c, &e), &e);
	names_change_deinit(&c);
	expect(dir, "a", 0);
	expect(dir, "c", 4);
}

/* The file as it is now, in memory of its own. */
static size_t read_log(int dir, uint8_t *out, size_t room)
{
	auto_fd fd = openat(dir, "names", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, out, room);

	assert_in_range(n, 4096, room - 1);
	return (size_t)n;
}

static void write_log(int dir, const uint8_t *bytes, size_t len)
{
	auto_fd fd = openat(dir, "names", O_WRONLY | O_TRUNC | O_CLOEXEC);

	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
}

/* The last record cut short at any byte, and its mark not written: killed before it was durable. */
static void test_an_unfinished_record_does_not_count(void **state)
{
	static uint8_t before[16384], after[16384], torn[16384];
	auto_fd dir = make_log(state);
	size_t old, now;

	set(dir, "a", 1);
	set(dir, "b", 2);
	old = read_log(dir, before, sizeof(before));
	set(dir, "c", 3);
	now = read_log(dir, after, sizeof(after));
	for (size_t len = old; len < now; len++) {
		memcpy(torn, before, 4096);
		memcpy(torn + 4096, after + 4096, len - 4096);
		write_log(dir, torn, len);
		expect(dir, "c", 0);
		expect(dir, "b", 2);
		set(dir, "d", 4);
		expect(dir, "d", 4);
	}
	/* All of the record, and no mark: it was durable before the mark would have been written.
	 */
	memcpy(torn + 4096, after + 4096, now - 4096);
	write_log(dir, torn, now);
	expect(dir, "c", 3);
	set(dir, "d", 4);
	expect(dir, "c", 3);
}

static void test_damage_is_found(void **state)
{
	static uint8_t bytes[16384];
	auto_fd dir = make_log(state);
	struct names n;
	size_t len;

	set(dir, "a", 1);
	set(dir, "b", 2);
	len = read_log(dir, bytes, sizeof(bytes));
	for (size_t i = 0; i < len; i++) {
		struct verr e = VERR_INIT;

		bytes[i] ^= 4;
		if (names_parse(&n, bytes_of(bytes, len), &ours, &e) == 0) {
			assert_true(n.page_bad && i < 4096);
			assert_int_equal(n.count, 2);
			names_deinit(&n);
		} else {
			assert_int_equal(e.kind, VERR_CORRUPT);
		}
		bytes[i] ^= 4;
	}
	for (size_t i = 0; i < len; i++) {
		struct verr e = VERR_INIT;

		assert_fault(names_parse(&n, bytes_of(bytes, i), &ours, &e), &e, VERR_CORRUPT, "");
	}
}

static void test_a_long_log_is_written_anew(void **state)
{
	auto_fd dir = make_log(state);
	struct verr e = VERR_INIT;
	struct stel_id id = chunk_hash("", 0);
	struct stat st;
	char name[64];

	set(dir, "kept", 5);
	for (unsigned int i = 0; i < 8; i++) {
		struct names_change c = NAMES_CHANGE_INIT;

		assert_ok(names_begin(&c, dir, &ours, &e), &e);
		for (unsigned int j = 0; j < 1000; j++) {
			(void)snprintf(name, sizeof(name), "a-name-that-is-not-short-%u", j);
			assert_ok(names_set(&c, name, &id, i + 1, &e), &e);
		}
		assert_ok(names_commit(&c, &e), &e);
		names_change_deinit(&c);
		assert_int_equal(fstatat(dir, "names", &st, 0), 0);
		assert_true(st.st_size < 1 << 20);
		expect(dir, name, i + 1);
		expect(dir, "kept", 5);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_changes_happen_together_or_not,
						test_folder_make, test_folder_remove),
		cmocka_unit_test_setup_teardown(test_an_unfinished_record_does_not_count,
						test_folder_make, test_folder_remove),
		cmocka_unit_test_setup_teardown(test_damage_is_found, test_folder_make,
						test_folder_remove),
		cmocka_unit_test_setup_teardown(test_a_long_log_is_written_anew, test_folder_make,
						test_folder_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
