/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of pages, paths, hashes, stamps, and the names of what is being made. */
#include "vmm/snapshot/snapshot.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/copy.h"
#include "base/own.h"
#include "base/test_files.h"
#include "vmm/snapshot/files.h"
#include "vmm/snapshot/hash.h"
#include "vmm/snapshot/memory.h"
#include "vmm/snapshot/path.h"
#include "vmm/snapshot/stamp.h"

#define PAGES 256

static void set_pages(uint64_t bits[PAGES / 64], const char *text)
{
	memset(bits, 0, PAGES / 8);
	for (const char *at = text; *at != '\0'; at += strspn(at, " ")) {
		char *end;
		unsigned long page = strtoul(at, &end, 10);

		bits[page / 64] |= 1ULL << page % 64;
		at = end;
	}
}

static void test_runs_of_pages(void **state)
{
	uint64_t bits[PAGES / 64];
	struct mem_run run;

	(void)state;
	set_pages(bits, "");
	assert_false(pages_next(bits, PAGES, 0, &run));
	assert_int_equal(pages_join(bits, PAGES, 1), 0);
	set_pages(bits, "0 1 63 64 65 255");
	assert_int_equal(pages_count(bits, PAGES / 64), 6);
	assert_true(pages_next(bits, PAGES, 0, &run));
	assert_int_equal(run.offset, 0);
	assert_int_equal(run.len, 2 * MEM_PAGE);
	assert_true(pages_next(bits, PAGES, 2, &run));
	assert_int_equal(run.offset, 63 * MEM_PAGE);
	assert_int_equal(run.len, 3 * MEM_PAGE);
	assert_true(pages_next(bits, PAGES, 66, &run));
	assert_int_equal(run.offset, 255 * MEM_PAGE);
	assert_int_equal(run.len, MEM_PAGE);
	assert_false(pages_next(bits, PAGES, 256, &run));
}

static void test_runs_are_joined_over_the_smallest_gaps(void **state)
{
	uint64_t bits[PAGES / 64], before[PAGES / 64];

	(void)state;
	set_pages(bits, "0 2 10 20 100");
	memcpy(before, bits, sizeof(bits));
	assert_int_equal(pages_join(bits, PAGES, 5), 5);
	assert_memory_equal(bits, before, sizeof(bits));
	assert_int_equal(pages_join(bits, PAGES, 4), 4);
	set_pages(before, "0 1 2 10 20 100");
	assert_memory_equal(bits, before, sizeof(bits));
	assert_int_equal(pages_join(bits, PAGES, 1), 1);
	assert_int_equal(pages_count(bits, PAGES / 64), 101);
}

static void test_paths(void **state)
{
	const struct {
		const char *from, *to, *relative;
	} cases[] = {
		{"/a/b", "/a/c", "../c"},       {"/a/b", "/a/b/c", "c"},
		{"/a/b/", "//a/b//c/d", "c/d"}, {"/a/bb", "/a/b", "../b"},
		{"/x", "/a/b", "../a/b"},       {"/a/../b", "/a/c", "/a/c"},
		{"/a", "/a/../b", "/a/../b"},   {"a", "b", "b"},
		{"/a/b", "/a/b", "../b"},
	};
	struct verr e = VERR_INIT;
	char out[PATH_MAX], *longest = malloc(PATH_MAX + 1);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_ok(path_relative(cases[i].from, cases[i].to, out, &e), &e);
		assert_string_equal(out, cases[i].relative);
	}
	assert_ok(path_join("/a", "b", out, &e), &e);
	assert_string_equal(out, "/a/b");
	assert_ok(path_join("/a", "/b", out, &e), &e);
	assert_string_equal(out, "/b");
	assert_non_null(longest);
	memset(longest, 'x', PATH_MAX);
	longest[PATH_MAX] = '\0';
	assert_fault(path_join("/a", longest, out, &e), &e, VERR_INVALID, "longer");
	free(longest);
}

static void hash(int fd, uint64_t size, uint8_t out[SNAPSHOT_HASH])
{
	struct verr e = VERR_INIT;

	assert_ok(snapshot_hash(fd, size, NULL, out, &e), &e);
}

static void test_hash_is_of_content_and_not_of_holes(void **state)
{
	uint8_t a[SNAPSHOT_HASH], b[SNAPSHOT_HASH], zeros[4096] = {0};
	auto_fd fd = memfd_create("test", MFD_CLOEXEC);
	const off_t at[] = {0, KIB(256) - 1, KIB(256), MIB(1), MIB(3) - 1};

	(void)state;
	assert_int_equal(ftruncate(fd, MIB(3)), 0);
	hash(fd, MIB(3), a);
	assert_int_equal(pwrite(fd, zeros, sizeof(zeros), KIB(512)), sizeof(zeros));
	hash(fd, MIB(3), b);
	assert_memory_equal(a, b, sizeof(a));
	/* Every place counts, and the size. */
	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		memcpy(a, b, sizeof(a));
		assert_int_equal(pwrite(fd, "x", 1, at[i]), 1);
		hash(fd, MIB(3), b);
		assert_memory_not_equal(a, b, sizeof(a));
	}
	hash(fd, MIB(3) - 1, a);
	assert_memory_not_equal(a, b, sizeof(a));
}

static void test_stamp_is_of_one_file_as_it_is(void **state)
{
	auto_fd fd = memfd_create("test", MFD_CLOEXEC), out = memfd_create("stamp", MFD_CLOEXEC);
	struct stamp s = {.id = {1, 2, 3}}, read;
	struct stamp_file file, later;
	const uint8_t other[STAMP_ID] = {3};
	struct verr e = VERR_INIT;
	char text[512];
	ssize_t len;

	(void)state;
	assert_true(stamp_of(fd, "a disk", &file));
	stamp_add(&s, &file);
	assert_ok(stamp_write(&s, out, &e), &e);
	stamp_read(&read, s.id, out);
	assert_true(stamp_has(&read, &file));
	assert_true(stamp_is_own(&read, out));
	assert_false(stamp_is_own(&read, fd)); /* a copy of it */
	assert_false(stamp_is_own(&read, -1));
	(void)snprintf(later.name, sizeof(later.name), "x");
	assert_int_equal(pwrite(fd, "x", 1, 0), 1);
	assert_true(stamp_of(fd, "a disk", &later));
	assert_false(stamp_has(&read, &later));
	stamp_read(&read, other, out);
	assert_false(stamp_has(&read, &file));
	/* Cut anywhere, it says nothing. */
	len = pread(out, text, sizeof(text), 0);
	assert_true(len > 0);
	for (ssize_t cut = 0; cut < len; cut++) {
		assert_int_equal(ftruncate(out, cut), 0);
		stamp_read(&read, s.id, out);
		assert_int_equal(read.count, 0);
		assert_int_equal(ftruncate(out, 0), 0);
		assert_int_equal(pwrite(out, text, (size_t)len, 0), len);
	}
}

static bool there(const char *folder, const char *name)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	return access(path, F_OK) == 0;
}

static void begin(struct snapshot_files *f, const char *folder, const char *name)
{
	struct verr e = VERR_INIT;
	auto_fd fd = -1;
	char path[256];

	*f = (struct snapshot_files)SNAPSHOT_FILES_INIT;
	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	assert_ok(files_begin(f, NULL, path, &e), &e);
	fd = files_make(f, "memory", false, &e);
	assert_true(fd >= 0);
	fd_close(&fd);
	fd = files_make(f, "disk", true, &e);
	assert_true(fd >= 0);
}

static void test_names_come_last(void **state)
{
	const char *folder = *state;
	struct snapshot_files f;
	struct verr e = VERR_INIT;
	char path[256];

	begin(&f, folder, "one");
	assert_false(there(folder, "one"));
	assert_true(there(folder, ".one.volt-new/disks/disk"));
	files_end(&f);
	assert_false(there(folder, ".one.volt-new"));

	begin(&f, folder, "one");
	assert_ok(files_name(&f, &e), &e);
	files_end(&f);
	files_end(&f);
	assert_true(there(folder, "one/memory"));
	assert_true(there(folder, "one/disks/disk"));
	(void)snprintf(path, sizeof(path), "%s/one/", folder);
	assert_fault(files_begin(&f, NULL, path, &e), &e, VERR_INVALID, "ends with a name");
	files_end(&f);
	e = (struct verr)VERR_INIT;
	path[strlen(path) - 1] = '\0';
	f = (struct snapshot_files)SNAPSHOT_FILES_INIT;
	assert_fault(files_begin(&f, NULL, path, &e), &e, VERR_INVALID, "of this name");
	files_end(&f);
	assert_true(there(folder, "one/memory"));
}

/* What an end by force has left goes, what somebody still writes stays. */
static void test_leftovers(void **state)
{
	const char *folder = *state;
	struct snapshot_files left, busy, f;
	struct verr e = VERR_INIT;
	char path[256];

	begin(&left, folder, "left");
	left.made = false;
	files_end(&left);
	begin(&busy, folder, "busy");
	assert_false(there(folder, ".left.volt-new"));
	begin(&left, folder, "left");
	left.made = false;
	files_end(&left);
	begin(&f, folder, "new");
	assert_false(there(folder, ".left.volt-new"));
	assert_true(there(folder, ".busy.volt-new/memory"));
	files_end(&f);
	(void)snprintf(path, sizeof(path), "%s/busy", folder);
	f = (struct snapshot_files)SNAPSHOT_FILES_INIT;
	assert_fault(files_begin(&f, NULL, path, &e), &e, VERR_STATE, "somebody else");
	files_end(&f);
	assert_ok(files_name(&busy, &e), &e);
	files_end(&busy);
}

static void begin_apart(struct snapshot_files *f, const char *folder)
{
	static const char *const names[] = {SNAPSHOT_MEMORY_FILE, SNAPSHOT_STAMP_FILE,
					    SNAPSHOT_STATE_FILE};
	struct verr e = VERR_INIT;
	char state[256], memory[256];
	int fd;

	*f = (struct snapshot_files)SNAPSHOT_FILES_INIT;
	(void)snprintf(state, sizeof(state), "%s/s", folder);
	(void)snprintf(memory, sizeof(memory), "%s/m", folder);
	assert_ok(files_begin_apart(f, NULL, state, memory, &e), &e);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		fd = files_make(f, names[i], false, &e);
		assert_true(fd >= 0);
		fd_close(&fd);
	}
	fd = files_make(f, "disk", true, &e);
	assert_true(fd >= 0);
	fd_close(&fd);
}

/* Each beside its place; what is there stays until all is, and what is left over goes. */
static void test_files_one_by_one(void **state)
{
	const char *folder = *state;
	struct snapshot_files f, other;
	struct verr e = VERR_INIT;
	char s[256];

	begin_apart(&f, folder);
	assert_false(f.replaces);
	assert_string_equal(files_disks_name(&f), "s.disks");
	assert_true(there(folder, ".m.volt-new") && there(folder, ".s.disks.volt-new/disk"));
	begin(&other, folder, "other"); /* it is locked */
	files_end(&other);
	assert_true(there(folder, ".m.volt-new") && there(folder, ".s.disks.volt-new/disk"));
	assert_false(there(folder, "m"));
	assert_ok(files_name(&f, &e), &e);
	assert_true(there(folder, "s") && there(folder, "m") && there(folder, "s.disks/disk"));
	assert_false(there(folder, "s.verified"));
	assert_ok(apart_name_stamp(&f, &e), &e);
	files_end(&f);
	assert_true(there(folder, "s.verified"));

	begin_apart(&f, folder);
	assert_true(f.replaces);
	assert_ok(files_name(&f, &e), &e);
	assert_ok(apart_name_stamp(&f, &e), &e);
	files_end(&f);
	assert_true(there(folder, "s.disks/disk") && !there(folder, ".s.disks.volt-new"));
	assert_false(there(folder, ".s.volt-new") || there(folder, ".m.volt-new"));

	begin_apart(&f, folder);
	for (int i = 0; i < PARTS; i++)
		f.parts[i].made = false; /* as if it had been killed */
	files_end(&f);
	assert_true(there(folder, ".s.volt-new"));
	begin(&other, folder, "other");
	files_end(&other);
	assert_false(there(folder, ".s.volt-new") || there(folder, ".s.disks.volt-new") ||
		     there(folder, ".m.volt-new"));

	(void)snprintf(s, sizeof(s), "%s/s", folder);
	f = (struct snapshot_files)SNAPSHOT_FILES_INIT;
	assert_fault(files_begin_apart(&f, NULL, s, s, &e), &e, VERR_INVALID, "one name for two");
	files_end(&f);
}

static ino_t inode(const char *folder, const char *name)
{
	char path[256];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	return stat(path, &st) == 0 ? st.st_ino : 0;
}

/* Where one has no name, the others have none: what was there has its own again. */
static void test_naming_is_undone(void **state)
{
	const char *folder = *state, *const names[] = {"s", "m", "s.disks", "s.disks/disk"};
	ino_t before[ARRAY_LEN(names)];
	struct verr e = VERR_INIT;
	struct snapshot_files f;

	for (int round = 0; round < 2; round++) { /* nothing is there, and all is */
		for (size_t i = 0; i < ARRAY_LEN(names); i++)
			before[i] = inode(folder, names[i]);
		begin_apart(&f, folder);
		assert_int_equal(unlinkat(f.parent, ".s.volt-new", 0), 0);
		e = (struct verr)VERR_INIT;
		assert_fault(files_name(&f, &e), &e, VERR_HOST, "name s: No such file");
		files_end(&f);
		for (size_t i = 0; i < ARRAY_LEN(names); i++)
			assert_int_equal(inode(folder, names[i]), before[i]);
		assert_false(there(folder, ".m.volt-new") || there(folder, ".s.disks.volt-new"));

		begin_apart(&f, folder);
		e = (struct verr)VERR_INIT;
		assert_ok(files_name(&f, &e), &e);
		files_end(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runs_of_pages),
		cmocka_unit_test(test_runs_are_joined_over_the_smallest_gaps),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_hash_is_of_content_and_not_of_holes),
		cmocka_unit_test(test_stamp_is_of_one_file_as_it_is),
		cmocka_unit_test_setup_teardown(test_names_come_last, test_folder_make,
						test_folder_remove),
		cmocka_unit_test_setup_teardown(test_leftovers, test_folder_make,
						test_folder_remove),
		cmocka_unit_test_setup_teardown(test_files_one_by_one, test_folder_make,
						test_folder_remove),
		cmocka_unit_test_setup_teardown(test_naming_is_undone, test_folder_make,
						test_folder_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
