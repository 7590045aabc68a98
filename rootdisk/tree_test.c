/* SPDX-License-Identifier: Apache-2.0 */
#include "rootdisk/tree.h"

#include <stdio.h>
#include <sys/stat.h>

#include "base/test.h"

static const struct tree_facts file = {.mode = S_IFREG | 0644, .mtime = 5};
static const struct tree_facts folder = {.mode = S_IFDIR | 0750, .mtime = 6};

static int setup(void **state)
{
	static struct tree t;
	struct verr e = VERR_INIT;

	*state = &t;
	return tree_init(&t, &e);
}

static int teardown(void **state)
{
	tree_deinit(*state);
	return 0;
}

static struct tree_node *add(struct tree *t, const char *path, const struct tree_facts *facts)
{
	struct verr e = VERR_INIT;
	struct tree_node *node = tree_add(t, path, facts, &e);

	assert_ok(node == NULL ? -1 : 0, &e);
	return node;
}

static struct tree_node *add_link(struct tree *t, const char *path, const char *target)
{
	const struct tree_facts facts = {.mode = S_IFLNK | 0777, .target = target};

	return add(t, path, &facts);
}

static void assert_refused(struct tree *t, const char *path, const struct tree_facts *facts,
			   const char *part)
{
	struct verr e = VERR_INIT;

	assert_fault(tree_add(t, path, facts, &e) == NULL ? -1 : 0, &e, VERR_INVALID, part);
}

/* All paths of the tree in its order, with a blank after each. */
static void list(const struct tree_node *f, const char *prefix, char *out, size_t size)
{
	for (uint32_t i = 0; i < f->names_count; i++) {
		char path[256];
		size_t used = strlen(out);

		(void)snprintf(path, sizeof(path), "%s%s", prefix, f->names[i]->text);
		(void)snprintf(out + used, size - used, "%s ", path);
		(void)snprintf(path, sizeof(path), "%s%s/", prefix, f->names[i]->text);
		list(f->names[i]->node, path, out, size);
	}
}

static void assert_files(struct tree *t, const char *wanted)
{
	struct verr e = VERR_INIT;
	char all[1024] = "";

	assert_ok(tree_finish(t, &e), &e);
	list(t->root, "", all, sizeof(all));
	assert_string_equal(all, wanted);
}

static void test_paths_are_cleaned_and_sorted(void **state)
{
	struct tree *t = *state;

	(void)add(t, "/z", &file);
	(void)add(t, "./b//c/./d/", &folder);
	(void)add(t, "b/a", &file);
	(void)add(t, "b", &folder); /* after what is in it */
	(void)add(t, "./", &folder);
	assert_int_equal(t->root->mode, folder.mode);
	assert_files(t, "b b/a b/c b/c/d z ");
	assert_int_equal(t->root->names[0]->node->mtime, 6);
	assert_int_equal(t->root->names[0]->node->names[1]->node->mtime, TREE_TIME);
	assert_int_equal(t->root->folders_count, 1);
}

static void test_links_in_a_path_stay_inside(void **state)
{
	struct tree *t = *state;

	(void)add(t, "usr/sbin", &folder);
	(void)add_link(t, "sbin", "usr/sbin");
	(void)add_link(t, "up", "../../../../etc");
	(void)add_link(t, "usr/abs", "/var/./../var/x");
	(void)add(t, "sbin/init", &file);
	(void)add(t, "up/passwd", &file);
	(void)add(t, "usr/abs/y", &file);
	assert_true(tree_has(t, "sbin/init"));
	assert_true(tree_has(t, "sbin"));
	assert_false(tree_has(t, "sbin/other"));
	assert_files(t, "etc etc/passwd sbin up usr usr/abs usr/sbin usr/sbin/init var var/x "
			"var/x/y ");
}

static void test_bad_paths(void **state)
{
	struct tree *t = *state;
	char name[300], path[5000];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	memset(path, 'p', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	for (size_t i = 2; i < sizeof(path) - 1; i += 3)
		path[i] = '/';
	(void)add_link(t, "a", "b");
	(void)add_link(t, "b", "a/x");
	(void)add(t, "plain", &file);
	assert_refused(t, "../x", &file, "upwards");
	assert_refused(t, "x/../y", &file, "upwards");
	assert_refused(t, "x/..", &folder, "upwards");
	assert_refused(t, "a/x", &file, "more than 40 links");
	assert_refused(t, "plain/x", &file, "its folder is a file");
	assert_refused(t, name, &file, "a name of 299 bytes");
	assert_refused(t, path, &file, "a path of");
	assert_refused(t, ".", &file, "the root is not a folder");
}

static void test_bad_targets(void **state)
{
	char target[5000];
	const struct tree_facts empty = {.mode = S_IFLNK | 0777, .target = ""};
	const struct tree_facts far = {.mode = S_IFLNK | 0777, .target = target};

	memset(target, 't', sizeof(target) - 1);
	target[sizeof(target) - 1] = '\0';
	assert_refused(*state, "l", &empty, "a link to a path of 0 bytes");
	assert_refused(*state, "l", &far, "a link to a path of 4999 bytes");
}

static void test_later_entries_replace(void **state)
{
	struct tree *t = *state;
	struct tree_node *first = add(t, "f", &file), *second;

	(void)add(t, "empty", &folder);
	(void)add(t, "full/x", &file);
	(void)add_link(t, "link", "full");
	second = add(t, "f", &file);
	assert_ptr_not_equal(first, second);
	assert_int_equal(first->links, 0);
	assert_int_equal(second->links, 1);
	(void)add(t, "empty", &file);
	(void)add(t, "link", &folder); /* the link itself, not what it leads to */
	(void)add(t, "link/y", &file);
	assert_refused(t, "full", &file, "a folder with files in it");
	assert_files(t, "empty f full full/x link link/y ");
	assert_int_equal(t->order_count, 7);
}

static void test_hard_links(void **state)
{
	struct tree *t = *state;
	struct tree_node *node = add(t, "a/x", &file);
	struct verr e = VERR_INIT, missing = VERR_INIT, up = VERR_INIT, dir = VERR_INIT;
	char name[32];

	(void)add_link(t, "l", "a");
	assert_ok(tree_link(t, "y", "/l/x", &e), &e);
	assert_ok(tree_link(t, "y", "y", &e), &e);
	assert_int_equal(node->links, 2);
	assert_fault(tree_link(t, "z", "none", &missing), &missing, VERR_INVALID,
		     "a file that is not there");
	missing = (struct verr)VERR_INIT;
	assert_fault(tree_link(t, "z", "no/ne", &missing), &missing, VERR_INVALID,
		     "a file that is not there");
	assert_fault(tree_link(t, "z", "../x", &up), &up, VERR_INVALID, "upwards");
	assert_fault(tree_link(t, "z", "a", &dir), &dir, VERR_INVALID, "to a folder");
	/* The file keeps what it is when its first name goes. */
	(void)add(t, "a/x", &folder);
	assert_int_equal(node->links, 1);
	for (int i = 1; i < TREE_LINKS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "n/%d", i);
		assert_ok(tree_link(t, name, "y", &e), &e);
	}
	assert_fault(tree_link(t, "more", "y", &e), &e, VERR_INVALID, "more than 65000 names");
}

static void test_attributes_are_sorted_and_replaced(void **state)
{
	struct tree *t = *state;
	struct tree_node *node = add(t, "f", &file);
	struct verr e = VERR_INIT;

	assert_ok(tree_set_xattr(t, node, "user.b", "1", 1, &e), &e);
	assert_ok(tree_set_xattr(t, node, "user.a", "", 0, &e), &e);
	assert_ok(tree_set_xattr(t, node, "user.b", "23", 2, &e), &e);
	assert_string_equal(node->xattrs->name, "user.a");
	assert_string_equal(node->xattrs->next->name, "user.b");
	assert_int_equal(node->xattrs->next->len, 2);
	assert_null(node->xattrs->next->next);
}

static void test_needed_folders(void **state)
{
	struct tree *t = *state;
	struct verr e = VERR_INIT, bad = VERR_INIT;

	(void)add_link(t, "tmp", "var/tmp");
	(void)add(t, "proc", &file);
	assert_ok(tree_need_folder(t, "tmp", 01777, &e), &e);
	assert_ok(tree_need_folder(t, "run", 0755, &e), &e);
	assert_fault(tree_need_folder(t, "proc", 0555, &bad), &bad, VERR_INVALID, "is a file");
	assert_files(t, "proc run tmp var var/tmp ");
}

/* The same files in another order are the same tree; anything else is another. */
static void test_digest(void **state)
{
	struct tree a, b, c;
	struct verr e = VERR_INIT;

	(void)state;
	assert_ok(tree_init(&a, &e), &e);
	assert_ok(tree_init(&b, &e), &e);
	assert_ok(tree_init(&c, &e), &e);
	(void)add(&a, "x/y", &file);
	(void)add(&a, "x", &folder);
	(void)add(&a, "z", &file);
	(void)add(&b, "z", &folder);
	(void)add(&b, "z", &file);
	(void)add(&b, "x", &folder);
	(void)add(&b, "x/y", &file);
	(void)add(&c, "z", &file);
	(void)add(&c, "x", &folder);
	add(&c, "x/y", &file)->uid = 1;
	assert_ok(tree_finish(&a, &e), &e);
	assert_ok(tree_finish(&b, &e), &e);
	assert_ok(tree_finish(&c, &e), &e);
	assert_memory_equal(&a.digest, &b.digest, sizeof(a.digest));
	assert_memory_not_equal(&a.digest, &c.digest, sizeof(a.digest));
	tree_deinit(&a);
	tree_deinit(&b);
	tree_deinit(&c);
}

#define test_of(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_of(test_paths_are_cleaned_and_sorted),
		test_of(test_links_in_a_path_stay_inside),
		test_of(test_bad_paths),
		test_of(test_bad_targets),
		test_of(test_later_entries_replace),
		test_of(test_hard_links),
		test_of(test_attributes_are_sorted_and_replaced),
		test_of(test_needed_folders),
		test_of(test_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
