/* SPDX-License-Identifier: Apache-2.0 */
/* Disks are written to memory and read back through libext2fs. */
#include <ext2fs/ext2fs.h>
#include <sys/stat.h>

#include "rootdisk/content.h"
#include "rootdisk/ext4.h"
#include "base/test_files.h"

struct disk {
	int fd;
	uint64_t size;
	ext2_filsys fs;
};

static struct tree_node *add(struct tree *t, const char *path, struct tree_facts facts)
{
	struct verr e = VERR_INIT;
	struct tree_node *node;

	facts.mtime = facts.mtime != 0 ? facts.mtime : 1000;
	node = tree_add(t, path, &facts, &e);
	assert_ok(node == NULL ? -1 : 0, &e);
	return node;
}

/* `step` bytes apart there is a byte. */
static void put_content(struct tree_node *node, uint64_t step, content_fn *fn, void *arg)
{
	struct content c;
	struct verr e = VERR_INIT;

	assert_ok(content_init(&c, fn, arg, &e), &e);
	content_begin(&c, node);
	for (uint64_t at = 0; at < node->size; at += step)
		assert_ok(content_put(&c, at, "x", 1, &e), &e);
	assert_ok(content_end(&c, &e), &e);
	content_deinit(&c);
}

static struct tree_node *add_file(struct tree *t, const char *path, uint64_t size, uint64_t step)
{
	struct tree_node *node = add(t, path, (struct tree_facts){.mode = S_IFREG | 0644});

	node->size = size;
	put_content(node, step, content_survey, t);
	return node;
}

/* Write the tree, whose files with content have a byte each `step`. */
static void write_disk(struct disk *d, struct tree *t, uint64_t size, uint64_t step)
{
	struct ext4_plan plan;
	struct ext4 x = EXT4_INIT;
	struct verr e = VERR_INIT;
	char name[32];

	d->fd = memfd_create("disk", MFD_CLOEXEC);
	assert_true(d->fd >= 0);
	assert_ok(tree_finish(t, &e), &e);
	assert_ok(ext4_plan(t, size, &plan, &e), &e);
	assert_ok(ext4_open(&x, d->fd, t, &plan, &e), &e);
	for (uint32_t i = 0; i < t->order_count; i++)
		if (S_ISREG(t->order[i]->mode) && t->order[i]->runs_count > 0)
			put_content(t->order[i], step, ext4_content, &x);
	assert_ok(ext4_close(&x, &e), &e);
	ext4_deinit(&x);
	d->size = plan.size;
	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", d->fd);
	assert_int_equal(ext2fs_open(name, EXT2_FLAG_64BITS, 0, 0, unix_io_manager, &d->fs), 0);
}

static void close_disk(struct disk *d)
{
	assert_int_equal(ext2fs_close(d->fs), 0);
	fd_close(&d->fd);
}

static ext2_ino_t find(const struct disk *d, const char *path)
{
	ext2_ino_t ino = 0;

	if (ext2fs_namei(d->fs, EXT2_ROOT_INO, EXT2_ROOT_INO, path, &ino) != 0)
		fail_msg("no %s", path);
	return ino;
}

static struct ext2_inode_large inode_of(const struct disk *d, const char *path)
{
	struct ext2_inode_large inode;

	assert_int_equal(ext2fs_read_inode_full(d->fs, find(d, path), (struct ext2_inode *)&inode,
						sizeof(inode)),
			 0);
	return inode;
}

static void test_facts(void **state)
{
	struct tree t;
	struct disk d;
	struct verr e = VERR_INIT;
	struct ext2_inode_large i;
	struct ext2_xattr_handle *h;
	char far[200] = "";
	void *value;
	size_t len;

	(void)state;
	memset(far, 'f', sizeof(far) - 1);
	assert_ok(tree_init(&t, &e), &e);
	(void)add(&t, "old",
		  (struct tree_facts){.mode = S_IFREG | 04755,
				      .uid = 70000,
				      .gid = 80001,
				      .mtime = -1,
				      .mtime_ns = 999999999});
	assert_ok(tree_link(&t, "d/again", "old", &e), &e);
	(void)add(&t, "late", (struct tree_facts){.mode = S_IFDIR | 01777, .mtime = 1LL << 33});
	(void)add(&t, "never", (struct tree_facts){.mode = S_IFIFO | 0600, .mtime = INT64_MAX});
	(void)add(&t, "null", (struct tree_facts){.mode = S_IFCHR | 0666, .major = 1, .minor = 3});
	(void)add(&t, "disk", (struct tree_facts){.mode = S_IFBLK, .major = 259, .minor = 70000});
	(void)add(&t, "fast", (struct tree_facts){.mode = S_IFLNK | 0777, .target = "old"});
	(void)add(&t, "slow", (struct tree_facts){.mode = S_IFLNK | 0777, .target = far});
	assert_ok(tree_set_xattr(&t, t.root, "security.capability", "\1\2\3", 3, &e), &e);
	assert_ok(tree_set_xattr(&t, t.root, "user.long", far, 199, &e), &e);
	write_disk(&d, &t, MIB(16), 1);

	i = inode_of(&d, "old");
	assert_int_equal(find(&d, "old"), find(&d, "d/again"));
	assert_int_equal(i.i_links_count, 2);
	assert_int_equal(i.i_mode, S_IFREG | 04755);
	assert_int_equal(inode_uid(i), 70000);
	assert_int_equal(inode_gid(i), 80001);
	assert_int_equal((int32_t)i.i_mtime, -1);
	assert_int_equal(i.i_mtime_extra, 999999999U << 2);
	i = inode_of(&d, "late");
	assert_int_equal(i.i_mtime, 0);
	assert_int_equal(i.i_ctime_extra, 2);
	i = inode_of(&d, "never"); /* the latest there is: 2446 */
	assert_int_equal(i.i_mtime, 0x7fffffff);
	assert_int_equal(i.i_mtime_extra, 3);
	assert_int_equal(inode_of(&d, "null").i_block[0], 0x103);
	assert_int_equal(inode_of(&d, "disk").i_block[0], 0);
	assert_int_equal(inode_of(&d, "disk").i_block[1], 0x11110370);
	i = inode_of(&d, "slow");
	assert_int_equal(i.i_size, 199);
	assert_int_equal(i.i_blocks, 8);
	assert_int_equal(inode_of(&d, ".").i_links_count, 4);
	assert_int_equal(ext2fs_xattrs_open(d.fs, EXT2_ROOT_INO, &h), 0);
	assert_int_equal(ext2fs_xattrs_read(h), 0);
	assert_int_equal(ext2fs_xattr_get(h, "security.capability", &value, &len), 0);
	assert_int_equal(len, 3);
	assert_memory_equal(value, "\1\2\3", 3);
	(void)ext2fs_free_mem(&value);
	assert_int_equal(ext2fs_xattr_get(h, "user.long", &value, &len), 0);
	assert_int_equal(len, 199);
	(void)ext2fs_free_mem(&value);
	(void)ext2fs_xattrs_close(&h);
	i = inode_of(&d, "fast");
	assert_string_equal((const char *)i.i_block, "old");
	assert_int_equal(i.i_blocks, 0);
	close_disk(&d);
	tree_deinit(&t);
}

/* Read the file and compare: a byte at each `step`, else zero. */
static void assert_content(const struct disk *d, const char *path, uint64_t size, uint64_t step)
{
	static char got[CONTENT_WINDOW];
	ext2_file_t file;
	unsigned n;

	assert_int_equal(ext2fs_file_open(d->fs, find(d, path), 0, &file), 0);
	for (uint64_t at = 0; at < size; at += n) {
		assert_int_equal(ext2fs_file_read(file, got, sizeof(got), &n), 0);
		assert_int_equal(n, MIN(sizeof(got), size - at));
		for (unsigned i = 0; i < n; i++)
			if (got[i] != ((at + i) % step == 0 ? 'x' : '\0'))
				fail_msg("%s: byte %llu", path, (unsigned long long)at + i);
	}
	(void)ext2fs_file_close(file);
}

static void test_contents(void **state)
{
	struct tree t;
	struct disk d;
	struct verr e = VERR_INIT;
	const uint64_t step = 2 * CONTENT_WINDOW;

	(void)state;
	assert_ok(tree_init(&t, &e), &e);
	(void)add_file(&t, "one", 1, step);
	(void)add_file(&t, "block", 4096, step);
	(void)add_file(&t, "window", CONTENT_WINDOW + 1, step);
	/* As many runs as make its tree two levels deep. */
	(void)add_file(&t, "holes", 1000 * step + 1, step);
	add(&t, "empty", (struct tree_facts){.mode = S_IFREG})->size = 0;
	add(&t, "hole", (struct tree_facts){.mode = S_IFREG})->size = 1ULL << 40;
	write_disk(&d, &t, 0, step);
	assert_int_equal(d.size, GIB(1));
	assert_content(&d, "one", 1, step);
	assert_content(&d, "block", 4096, step);
	assert_content(&d, "window", CONTENT_WINDOW + 1, step);
	assert_content(&d, "holes", 1000 * step + 1, step);
	assert_int_equal(inode_of(&d, "empty").i_blocks, 0);
	assert_int_equal(inode_of(&d, "hole").i_blocks, 0);
	assert_int_equal(inode_of(&d, "hole").i_size_high, 1U << 8);
	close_disk(&d);
	tree_deinit(&t);
}

static int count_name(ext2_ino_t dir, int entry, struct ext2_dir_entry *dirent, int offset,
		      int blocksize, char *buf, void *arg)
{
	(void)dir;
	(void)entry;
	(void)dirent;
	(void)offset;
	(void)blocksize;
	(void)buf;
	++*(int *)arg;
	return 0;
}

static void test_large_folder(void **state)
{
	enum { COUNT = 5000 };
	struct tree t;
	struct disk d;
	struct verr e = VERR_INIT;
	char path[300];
	int count = 0;

	(void)state;
	assert_ok(tree_init(&t, &e), &e);
	for (int i = 0; i < COUNT; i++) {
		(void)snprintf(path, sizeof(path), "many/%0*d", 5 + i % 251, i);
		(void)add(&t, path, (struct tree_facts){.mode = S_IFREG});
	}
	write_disk(&d, &t, MIB(64), 1);
	assert_int_equal(ext2fs_dir_iterate2(d.fs, find(&d, "many"), 0, NULL, count_name, &count),
			 0);
	assert_int_equal(count, COUNT + 2); /* "." and ".." */
	close_disk(&d);
	tree_deinit(&t);
}

static void fill(struct tree *t)
{
	struct verr e = VERR_INIT;

	assert_ok(tree_init(t, &e), &e);
	(void)add_file(t, "some/file", 100000, 1000);
	(void)add_file(t, "other", 7000000, 1000);
	(void)add(t, "link", (struct tree_facts){.mode = S_IFLNK | 0777, .target = "other"});
	assert_ok(tree_set_xattr(t, t->root, "user.x", "y", 1, &e), &e);
}

static void assert_same(const struct disk *a, const struct disk *b, bool same)
{
	static char x[65536], y[sizeof(x)];
	bool equal = a->size == b->size;

	for (uint64_t at = 0; equal && at < a->size; at += sizeof(x)) {
		assert_int_equal(pread(a->fd, x, sizeof(x), (off_t)at), sizeof(x));
		assert_int_equal(pread(b->fd, y, sizeof(y), (off_t)at), sizeof(y));
		equal = memcmp(x, y, sizeof(x)) == 0;
	}
	assert_int_equal(equal, same);
}

static void test_same_bytes(void **state)
{
	struct tree s, t, u;
	struct disk a, b, c;

	(void)state;
	fill(&s);
	write_disk(&a, &s, MIB(32), 1000);
	(void)usleep(1100000); /* another second */
	fill(&t);
	write_disk(&b, &t, MIB(32), 1000);
	assert_same(&a, &b, true);
	fill(&u);
	(void)add(&u, "link", (struct tree_facts){.mode = S_IFLNK | 0777, .target = "some"});
	write_disk(&c, &u, MIB(32), 1000);
	assert_same(&a, &c, false);
	assert_memory_not_equal(a.fs->super->s_uuid, c.fs->super->s_uuid, 16);
	close_disk(&a);
	close_disk(&b);
	close_disk(&c);
	tree_deinit(&s);
	tree_deinit(&t);
	tree_deinit(&u);
}

/* What the fault about a size asks for is enough, and a mebibyte less is not. */
static void test_least_size(void **state)
{
	struct tree t;
	struct disk d;
	struct ext4_plan plan;
	struct verr e = VERR_INIT, small = VERR_INIT, less = VERR_INIT;
	unsigned long least;

	(void)state;
	fill(&t);
	assert_ok(tree_finish(&t, &e), &e);
	assert_fault(ext4_plan(&t, 4096, &plan, &small), &small, VERR_INVALID,
		     "too small: 5 files");
	least = strtoul(strstr(small.text, "--size ") + 7, NULL, 10);
	assert_in_range(least, 7, 12);
	assert_fault(ext4_plan(&t, MIB(least - 1), &plan, &less), &less, VERR_INVALID, "too small");
	tree_deinit(&t);
	fill(&t);
	write_disk(&d, &t, MIB(least), 1000);
	assert_content(&d, "other", 7000000, 1000);
	close_disk(&d);
	tree_deinit(&t);
}

static void test_what_does_not_fit_at_all(void **state)
{
	struct tree t;
	struct disk d = {.fd = memfd_create("disk", MFD_CLOEXEC)};
	struct ext4_plan plan;
	struct ext4 x = EXT4_INIT;
	struct verr e = VERR_INIT, file = VERR_INIT, size = VERR_INIT, device = VERR_INIT,
		    attribute = VERR_INIT, acl = VERR_INIT;
	static const char value[5000];

	(void)state;
	assert_ok(tree_init(&t, &e), &e);
	add(&t, "f", (struct tree_facts){.mode = S_IFREG})->size = 1ULL << 44;
	assert_ok(tree_finish(&t, &e), &e);
	assert_fault(ext4_plan(&t, 0, &plan, &file), &file, VERR_INVALID, "a file of 16 TiB");
	tree_deinit(&t);

	assert_ok(tree_init(&t, &e), &e);
	(void)add(&t, "d", (struct tree_facts){.mode = S_IFCHR, .major = 1, .minor = 1 << 20});
	assert_ok(tree_finish(&t, &e), &e);
	assert_fault(ext4_plan(&t, 1ULL << 50, &plan, &size), &size, VERR_INVALID,
		     "more than 16 TiB");
	assert_ok(ext4_plan(&t, MIB(16), &plan, &e), &e);
	assert_fault(ext4_open(&x, d.fd, &t, &plan, &device), &device, VERR_INVALID,
		     "a device 1:1048576");
	ext4_deinit(&x);
	tree_deinit(&t);

	assert_ok(tree_init(&t, &e), &e);
	assert_ok(tree_set_xattr(&t, t.root, "user.large", value, sizeof(value), &e), &e);
	assert_ok(tree_finish(&t, &e), &e);
	assert_ok(ext4_plan(&t, MIB(16), &plan, &e), &e);
	assert_fault(ext4_open(&x, d.fd, &t, &plan, &attribute), &attribute, VERR_INVALID,
		     "more extended attributes than fit");
	ext4_deinit(&x);
	tree_deinit(&t);

	assert_ok(tree_init(&t, &e), &e);
	assert_ok(tree_set_xattr(&t, t.root, "system.posix_acl_access", "none", 4, &e), &e);
	assert_ok(tree_finish(&t, &e), &e);
	assert_ok(ext4_plan(&t, MIB(16), &plan, &e), &e);
	assert_fault(ext4_open(&x, d.fd, &t, &plan, &acl), &acl, VERR_INVALID, "malformed");
	ext4_deinit(&x);
	tree_deinit(&t);
	fd_close(&d.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_contents),
		cmocka_unit_test(test_large_folder),
		cmocka_unit_test(test_same_bytes),
		cmocka_unit_test(test_least_size),
		cmocka_unit_test(test_what_does_not_fit_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
