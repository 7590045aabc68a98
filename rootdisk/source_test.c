/* SPDX-License-Identifier: Apache-2.0 */
#include "rootdisk/source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "rootdisk/tar_test.h"

/* A tree read from a tar, and the content of all its files, one after the other. */
struct reading {
	struct tree tree;
	struct source *source;
	int fd;
	char content[256];
	void *folder;
};

static int setup(void **state)
{
	static struct reading r;
	struct verr e = VERR_INIT;

	r = (struct reading){.fd = -1};
	*state = &r;
	return test_folder_make(&r.folder) < 0 ? -1 : tree_init(&r.tree, &e);
}

static int teardown(void **state)
{
	struct reading *r = *state;

	tree_deinit(&r->tree);
	r->source = source_free(r->source);
	fd_close(&r->fd);
	return test_folder_remove(&r->folder);
}

static int survey(struct reading *r, const struct test_tar *tar, struct verr *e)
{
	const struct source_owner asis = {0};

	r->fd = test_file(tar->bytes, tar->len);
	if (source_open_tar(&r->source, r->fd, &asis, e) < 0)
		return -1;
	return source_survey(r->source, &r->tree, e);
}

static int append(void *arg, struct tree_node *node, uint64_t offset, const void *bytes, size_t len,
		  struct verr *e)
{
	struct reading *r = arg;

	(void)node;
	(void)offset;
	(void)e;
	assert_true(strlen(r->content) + len < sizeof(r->content));
	strncat(r->content, bytes, len);
	return 0;
}

static struct tree_node *node_of(struct tree *t, const char *name)
{
	for (uint32_t i = 0; i < t->root->names_count; i++)
		if (strcmp(t->root->names[i]->text, name) == 0)
			return t->root->names[i]->node;
	fail_msg("no %s", name);
	return NULL;
}

static void test_entries(void **state)
{
	static const char *const noted[] = {"SCHILY.xattr.user.note",
					    "a value",
					    "SCHILY.xattr.com.apple.note",
					    "not of Linux",
					    "mtime",
					    "1234567890.25",
					    NULL};
	static const char *const named[] = {"path", "n\xc3\xa4me", NULL};
	struct reading *r = *state;
	struct test_tar tar = {0};
	struct verr e = VERR_INIT;
	struct tree_node *node;

	(void)tar_add(&tar, '5', "./dir/", "", "");
	tar_add_pax(&tar, noted);
	(void)tar_add(&tar, '0', "file", "", "content;");
	(void)tar_add(&tar, '0', "gone", "", "not this;");
	(void)tar_add(&tar, '0', "gone", "", "but this;");
	(void)tar_add(&tar, '1', "hard", "file", "");
	(void)tar_add(&tar, '2', "soft", "to/somewhere", "");
	(void)tar_add(&tar, '6', "fifo", "", "");
	tar_number(tar_add(&tar, '3', "char", "", "") + 329, 8, 5);
	tar_sum(tar.bytes + tar.len - TAR_BLOCK);
	tar_add_pax(&tar, named);
	(void)tar_add(&tar, '0', "name", "", "");
	tar_end(&tar);
	assert_ok(survey(r, &tar, &e), &e);
	assert_ok(tree_finish(&r->tree, &e), &e);
	assert_int_equal(r->tree.order_count, 8);
	assert_int_equal(node_of(&r->tree, "dir")->mode, S_IFDIR | 0755);
	node = node_of(&r->tree, "file");
	assert_int_equal(node->mode, S_IFREG | 0640);
	assert_int_equal(node->uid, 1000);
	assert_int_equal(node->gid, 100);
	assert_int_equal(node->mtime, 1234567890);
	assert_int_equal(node->mtime_ns, 250000000);
	assert_int_equal(node->size, 8);
	assert_int_equal(node->links, 2);
	assert_string_equal(node->xattrs->name, "user.note");
	assert_memory_equal(node->xattrs->value, "a value", 7);
	assert_null(node->xattrs->next);
	assert_ptr_equal(node, node_of(&r->tree, "hard"));
	assert_string_equal(node_of(&r->tree, "soft")->target, "to/somewhere");
	assert_true(S_ISFIFO(node_of(&r->tree, "fifo")->mode));
	assert_true(S_ISCHR(node_of(&r->tree, "char")->mode));
	assert_int_equal(node_of(&r->tree, "char")->major, 5);
	assert_non_null(node_of(&r->tree, "n\xc3\xa4me"));
	assert_ok(source_copy(r->source, append, r, &e), &e);
	assert_string_equal(r->content, "content;but this;");
}

static void test_owner_for_all(void **state)
{
	struct reading *r = *state;
	const struct source_owner root = {.set = true, .uid = 7, .gid = 8};
	struct test_tar tar = {0};
	struct verr e = VERR_INIT;

	(void)tar_add(&tar, '0', "file", "", "");
	tar_end(&tar);
	r->fd = test_file(tar.bytes, tar.len);
	assert_ok(source_open_tar(&r->source, r->fd, &root, &e), &e);
	assert_ok(source_survey(r->source, &r->tree, &e), &e);
	assert_ok(tree_finish(&r->tree, &e), &e);
	assert_int_equal(node_of(&r->tree, "file")->uid, 7);
	assert_int_equal(node_of(&r->tree, "file")->gid, 8);
}

static void test_acl(void **state)
{
	static const uint8_t wanted[] = {
		2, 0, 0,    0,    1,    0,    6,  0, 0xff, 0xff, 0xff, 0xff, 2,    0,   4,
		0, 9, 0,    0,    0,    4,    0,  4, 0,    0xff, 0xff, 0xff, 0xff, 16,  0,
		4, 0, 0xff, 0xff, 0xff, 0xff, 32, 0, 0,    0,    0xff, 0xff, 0xff, 0xff};
	static const char *const acl[] = {
		"SCHILY.acl.access", "user::rw-,user:who:r--:9,group::r--,mask::r--,other::---",
		NULL};
	struct reading *r = *state;
	struct test_tar tar = {0};
	struct verr e = VERR_INIT;
	const struct tree_xattr *x;

	tar_add_pax(&tar, acl);
	(void)tar_add(&tar, '0', "file", "", "");
	tar_end(&tar);
	assert_ok(survey(r, &tar, &e), &e);
	assert_ok(tree_finish(&r->tree, &e), &e);
	x = node_of(&r->tree, "file")->xattrs;
	assert_non_null(x);
	assert_string_equal(x->name, "system.posix_acl_access");
	assert_int_equal(x->len, sizeof(wanted));
	assert_memory_equal(x->value, wanted, sizeof(wanted));
}

static void assert_refused(const struct test_tar *tar, const char *part)
{
	struct reading *r;
	struct verr e = VERR_INIT;
	void *state;

	assert_int_equal(setup(&state), 0);
	r = state;
	assert_fault(survey(r, tar, &e), &e, VERR_INVALID, part);
	(void)teardown(&state);
}

static void test_bad_entries(void **state)
{
	static const struct {
		char type;
		const char *name, *link, *wanted;
	} bad[] = {
		{'0', "../escape", "", "../escape: its path leads upwards"},
		{'0', "a/../../escape", "", "its path leads upwards"},
		{'1', "hard", "missing", "hard: a hard link to a file that is not there"},
		{'1', "hard", "../../etc/passwd", "a hard link to a path that cannot be"},
		{'2', "soft", "", "soft: a link to"},
		{'0', "", "", "an entry without a name"},
		{'0', "\033[2Jx/..", "", "?[2Jx/..: its path"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct test_tar tar = {0};

		(void)tar_add(&tar, bad[i].type, bad[i].name, bad[i].link, "");
		tar_end(&tar);
		assert_refused(&tar, bad[i].wanted);
	}
}

static void test_damage(void **state)
{
	struct test_tar tar = {0}, none = {.len = 0}, noise = {.len = 2000}, huge = {0}, sum = {0};

	(void)state;
	(void)tar_add(&tar, '0', "file", "", "0123456789");
	tar.len -= 510; /* within the content */
	assert_refused(&tar, "file: Truncated tar archive");
	tar.len = 700;
	tar.bytes[0] = 'g';
	tar.len = 300;
	assert_refused(&tar, "not a tar");
	assert_refused(&none, "not a tar");
	memset(noise.bytes, 'x', noise.len);
	assert_refused(&noise, "not a tar");
	tar_end(&none);
	assert_refused(&none, "no files in it");
	/* Its size is 8 GiB less a byte, and nothing follows. */
	memcpy(tar_add(&huge, '0', "file", "", "") + 124, "77777777777", 11);
	tar_sum(huge.bytes);
	assert_refused(&huge, "Truncated");
	(void)tar_add(&sum, '0', "first", "", "");
	tar_add(&sum, '0', "second", "", "")[0] = 'S';
	tar_end(&sum);
	assert_refused(&sum, "Damaged tar archive");
}

/* Between the two readings. */
static void test_changed_archive(void **state)
{
	struct reading *r = *state;
	struct test_tar tar = {0};
	struct verr e = VERR_INIT, changed = VERR_INIT;

	(void)tar_add(&tar, '0', "file", "", "content");
	(void)tar_add(&tar, '0', "more", "", "");
	tar_end(&tar);
	assert_ok(survey(r, &tar, &e), &e);
	assert_int_equal(pwrite(r->fd, (char[1024]){0}, 1024, 1024), 1024);
	assert_fault(source_copy(r->source, append, r, &changed), &changed, VERR_INVALID,
		     "changed while it was read");
}

/* A path in the folder; good until the next call. */
static const char *in(const char *folder, const char *name)
{
	static char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void write_file(const char *path, const char *text)
{
	auto_fd fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void make_files(const char *folder)
{
	auto_fd fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	write_file(in(folder, "file"), "content");
	assert_int_equal(linkat(fd, "file", fd, "hard", 0), 0);
	assert_int_equal(symlinkat("/etc/passwd", fd, "soft"), 0);
	assert_int_equal(mkfifoat(fd, "pipe", 0600), 0);
}

static void test_folder(void **state)
{
	struct reading *r = *state;
	const struct source_owner asis = {0};
	const struct tree_node *node;
	struct verr e = VERR_INIT;
	const char *folder = r->folder;

	make_files(folder);
	assert_ok(source_open_folder(&r->source, folder, &asis, &e), &e);
	assert_ok(source_survey(r->source, &r->tree, &e), &e);
	assert_ok(tree_finish(&r->tree, &e), &e);
	assert_int_equal(r->tree.order_count, 4);
	node = node_of(&r->tree, "file");
	assert_int_equal(node->links, 2);
	assert_int_equal(node->uid, geteuid());
	assert_ptr_equal(node, node_of(&r->tree, "hard"));
	assert_string_equal(node_of(&r->tree, "soft")->target, "/etc/passwd");
	assert_true(S_ISFIFO(node_of(&r->tree, "pipe")->mode));
	assert_ok(source_copy(r->source, append, r, &e), &e);
	assert_string_equal(r->content, "content");
}

/* Between the two readings: written to, or a link in its place. */
static void test_changed_folder(void **state)
{
	struct reading *r = *state;
	const struct source_owner asis = {0};
	struct verr e = VERR_INIT, written = VERR_INIT, link = VERR_INIT;
	const char *folder = r->folder;

	write_file(in(folder, "file"), "content");
	assert_ok(source_open_folder(&r->source, folder, &asis, &e), &e);
	assert_ok(source_survey(r->source, &r->tree, &e), &e);
	write_file(in(folder, "file"), "contents");
	assert_fault(source_copy(r->source, append, r, &written), &written, VERR_INVALID,
		     "file: changed while it was read");
	assert_int_equal(unlink(in(folder, "file")), 0);
	assert_int_equal(symlink("/etc/passwd", in(folder, "file")), 0);
	assert_fault(source_copy(r->source, append, r, &link), &link, VERR_INVALID,
		     "cannot read it");
}

#define test_of(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_of(test_entries),
		test_of(test_owner_for_all),
		test_of(test_acl),
		cmocka_unit_test(test_bad_entries),
		cmocka_unit_test(test_damage),
		test_of(test_changed_archive),
		test_of(test_folder),
		test_of(test_changed_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
