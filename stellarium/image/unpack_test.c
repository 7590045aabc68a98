/* SPDX-License-Identifier: Apache-2.0 */
/* Images that get their names together, and images as files. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/test_files.h"
#include "stellarium/include/stellarium.h"

#define LEN (MIB(3) + 777)

static uint8_t content[LEN];

static const struct stel_file files[] = {{"memory", "x/memory"}, {"disks/a", "x/disks/a"}};

static void path_of_store(const char *folder, char out[64])
{
	(void)snprintf(out, 64, "%s/s", folder);
}

/* A store with two images, "x/memory" and "x/disks/a". */
static struct stel *open_store(const char *folder)
{
	const struct stel_options o = {
		.cut = stel_cutting_usual(STEL_CUT_PAGE), .codec = STEL_CODEC_ZSTD, .level = 1};
	struct stel_image *images[2] = {NULL, NULL};
	struct stel_import made;
	struct stel *s = NULL;
	struct verr e = VERR_INIT;
	char path[64];

	for (size_t i = 0; i < sizeof(content); i++)
		content[i] = (uint8_t)(i / 300000 % 2 == 0 ? i * i >> 16 : 0);
	path_of_store(folder, path);
	assert_ok(stel_create(path, &o, &e), &e);
	assert_ok(stel_open(&s, path, &e), &e);
	for (size_t i = 0; i < 2; i++) {
		auto_fd fd = test_file(content, sizeof(content) - i);

		assert_ok(stel_import_unnamed(s, fd, NULL, NULL, &made, &images[i], &e), &e);
	}
	const struct stel_naming names[] = {{"x/memory", images[0]}, {"x/disks/a", images[1]}};

	assert_ok(stel_name_all(s, names, 2, &e), &e);
	for (size_t i = 0; i < 2; i++)
		(void)stel_image_close(images[i]);
	return s;
}

static void collect(struct stel *s)
{
	struct stel_gc out;
	struct verr e = VERR_INIT;

	assert_ok(stel_gc(s, NULL, &out, &e), &e);
}

static void count_name(void *ctx, const struct stel_name *name)
{
	(void)name;
	++*(int *)ctx;
}

static int count_names(struct stel *s)
{
	struct verr e = VERR_INIT;
	int count = 0;

	assert_ok(stel_list(s, count_name, &count, &e), &e);
	return count;
}

static void test_all_names_or_none(void **state)
{
	struct stel *s = open_store(*state);
	struct stel_image *image = NULL;
	struct stel_import made;
	struct verr e = VERR_INIT;
	auto_fd fd = test_file(content + 5000, 100000);

	assert_ok(stel_import_unnamed(s, fd, NULL, NULL, &made, &image, &e), &e);
	collect(s); /* open, it stays */
	const struct stel_naming names[] = {{"y", image}, {"x/memory", image}};

	assert_int_equal(stel_name_all(s, names, 2, &e), -1);
	assert_int_equal(e.kind, VERR_STATE);
	assert_int_equal(count_names(s), 2);
	e = (struct verr)VERR_INIT;
	assert_ok(stel_name_all(s, names, 1, &e), &e);
	(void)stel_image_close(image);
	collect(s);
	assert_ok(stel_image_open(s, "y", &image, &e), &e);
	assert_ok(stel_export(image, fd, NULL, &e), &e);
	(void)stel_image_close(image);
	(void)stel_close(s);
}

static int add_stamp(void *ctx, int folder, struct verr *e)
{
	auto_fd fd = openat(folder, "stamp", O_WRONLY | O_CREAT | O_EXCL, 0600);

	++*(int *)ctx;
	return fd < 0 ? verr_os(e, "make a stamp") : 0;
}

static void check_file(const char *folder, const char *name, size_t len)
{
	static uint8_t found[LEN + 1];
	char path[PATH_MAX];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%.4000s/%s", folder, name);
	auto_fd fd = open(path, O_RDONLY);

	assert_int_equal(pread(fd, found, sizeof(found), 0), len);
	assert_memory_equal(found, content, len);
	assert_int_equal(fstat(fd, &st), 0);
	assert_true(st.st_blocks * 512 < (off_t)len * 3 / 4); /* sparse */
}

static int count_folders(const char *folder)
{
	char path[PATH_MAX];
	struct dirent *entry;
	int count = 0;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "%s/s/unpacked", folder);
	dir = opendir(path);
	while (dir != NULL && (entry = readdir(dir)) != NULL)
		count += entry->d_name[0] != '.';
	(void)closedir(dir);
	return count;
}

static void test_files_are_there_while_somebody_uses_them(void **state)
{
	struct stel *s = open_store(*state);
	char path[PATH_MAX], again[PATH_MAX];
	struct verr e = VERR_INIT;
	int made = 0, lease = -1, other = -1;

	assert_ok(stel_unpack(s, files, 2, add_stamp, &made, path, &lease, &e), &e);
	check_file(path, "memory", LEN);
	check_file(path, "disks/a", LEN - 1);
	assert_ok(stel_unpack(s, files, 2, add_stamp, &made, again, &other, &e), &e);
	assert_string_equal(path, again);
	assert_int_equal(made, 1);
	fd_close(&lease);
	collect(s);
	check_file(path, "memory", LEN);
	fd_close(&other);
	collect(s);
	assert_int_equal(count_folders(*state), 0);
	assert_ok(stel_unpack(s, files, 2, add_stamp, &made, path, &lease, &e), &e);
	check_file(path, "memory", LEN);
	assert_int_equal(made, 2);
	/* Other images are other files. */
	assert_ok(stel_unpack(s, files, 1, NULL, NULL, again, &other, &e), &e);
	assert_string_not_equal(path, again);
	assert_int_equal(count_folders(*state), 2);
	fd_close(&lease);
	fd_close(&other);
	(void)stel_close(s);
}

static void make(const char *folder, const char *name)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/s/unpacked/%s", folder, name);
	assert_int_equal(mkdir(path, 0700), 0);
}

static void test_what_is_left_over_goes(void **state)
{
	static const char *const left[] = {"0123-4.new", "0123.old", "0123456789abcdef-0"};
	struct stel *s = open_store(*state);
	char path[PATH_MAX], text[PATH_MAX];
	struct verr e = VERR_INIT;
	int lease = -1;

	assert_ok(stel_unpack(s, files, 1, NULL, NULL, path, &lease, &e), &e);
	for (size_t i = 0; i < ARRAY_LEN(left); i++)
		make(*state, left[i]);
	make(*state, "0123.old/disks");
	(void)snprintf(text, sizeof(text), "%s/s/unpacked/0123.old/lease", (char *)*state);
	auto_fd fd = open(text, O_WRONLY | O_CREAT, 0600);

	fd_close(&fd);
	/* The next one that is made finds them; the one that is in use stays. */
	fd_close(&lease);
	assert_ok(stel_unpack(s, files, 1, NULL, NULL, path, &lease, &e), &e);
	assert_int_equal(count_folders(*state), 4);
	int second = -1;

	assert_ok(stel_unpack(s, files, 2, NULL, NULL, text, &second, &e), &e);
	assert_int_equal(count_folders(*state), 2);
	check_file(path, "memory", LEN);
	fd_close(&lease);
	fd_close(&second);
	(void)stel_close(s);
}

/* Whoever has them says so, and uses them until `end` is closed. */
static void use_files(const char *store, int said, int end)
{
	struct verr e = VERR_INIT;
	struct stel *s = NULL;
	char path[PATH_MAX];
	int made = 0, lease = -1;

	if (stel_open(&s, store, &e) < 0 ||
	    stel_unpack(s, files, 2, add_stamp, &made, path, &lease, &e) < 0)
		_exit(100);
	(void)stel_close(s);
	check_file(path, "memory", LEN);
	(void)!write(said, "", 1);
	(void)!read(end, path, 1);
	_exit(made);
}

static void test_many_at_once_write_them_once(void **state)
{
	enum { MANY = 6 };
	int said[2], end[2], written = 0, status;
	pid_t pids[MANY];
	char store[64], byte;

	(void)stel_close(open_store(*state));
	path_of_store(*state, store);
	assert_int_equal(pipe(said) | pipe(end), 0);
	for (int i = 0; i < MANY; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			(void)close(end[1]);
			use_files(store, said[1], end[0]);
		}
	}
	(void)close(said[1]);
	/* All have them at the same time. */
	for (int i = 0; i < MANY; i++)
		assert_int_equal(read(said[0], &byte, 1), 1);
	(void)close(end[1]);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_true(WIFEXITED(status));
		written += WEXITSTATUS(status);
	}
	assert_int_equal(written, 1);
	(void)close(said[0]);
	(void)close(end[0]);
}

static int refuse(void *ctx, int folder, struct verr *e)
{
	(void)ctx;
	(void)folder;
	return verr_invalid(e, "no");
}

static void test_what_fails_leaves_nothing(void **state)
{
	static const struct stel_file bad[] = {
		{"lease", "x/memory"}, {"disks/../a", "x/memory"}, {"a/b/c", "x/memory"}};
	static const struct stel_file missing = {"memory", "z"};
	struct stel *s = open_store(*state);
	char path[PATH_MAX];
	struct verr e = VERR_INIT;
	int lease = -1;

	assert_int_equal(stel_unpack(s, files, 2, refuse, NULL, path, &lease, &e), -1);
	assert_string_equal(e.text, "no");
	assert_int_equal(count_folders(*state), 0);
	e = (struct verr)VERR_INIT;
	assert_int_equal(stel_unpack(s, &missing, 1, NULL, NULL, path, &lease, &e), -1);
	assert_int_equal(e.kind, VERR_NOT_FOUND);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		e = (struct verr)VERR_INIT;
		assert_int_equal(stel_unpack(s, &bad[i], 1, NULL, NULL, path, &lease, &e), -1);
		assert_int_equal(e.kind, VERR_INVALID);
	}
	assert_int_equal(lease, -1);
	(void)stel_close(s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, test_folder_make, test_folder_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_all_names_or_none),
		TEST(test_files_are_there_while_somebody_uses_them),
		TEST(test_what_is_left_over_goes),
		TEST(test_many_at_once_write_them_once),
		TEST(test_what_fails_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
