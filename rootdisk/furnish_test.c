/* SPDX-License-Identifier: Apache-2.0 */
#include "rootdisk/furnish.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/test_files.h"

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

static void furnish(struct tree *t, struct furnish *f)
{
	struct verr e = VERR_INIT;

	assert_ok(furnish_read_init(f, "/proc/self/exe", &e), &e);
	assert_ok(furnish_tree(f, t, &e), &e);
}

static void test_empty_tree(void **state)
{
	static const char *const wanted[] = {"dev",  "lost+found", "proc",           "run",
					     "sbin", "sys",        "sbin/volt-init", "tmp"};
	struct furnish f = FURNISH_INIT;
	struct tree *t = *state;

	furnish(t, &f);
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		assert_true(tree_has(t, wanted[i]));
	assert_int_equal(f.node->mode, S_IFREG | 0755);
	assert_int_equal(f.node->size, f.init_len);
	assert_true(f.node->runs_count > 0);
	furnish_deinit(&f);
}

/* Debian's /sbin is a link; a volt-init that is there goes, whatever has its name besides. */
static void test_merged_usr(void **state)
{
	const struct tree_facts link = {.mode = S_IFLNK | 0777, .target = "usr/sbin"};
	const struct tree_facts other = {.mode = S_IFREG | 0600, .uid = 5};
	struct furnish f = FURNISH_INIT;
	struct tree *t = *state;
	struct verr e = VERR_INIT;
	struct tree_node *node;

	assert_non_null(tree_add(t, "sbin", &link, &e));
	assert_non_null(tree_add(t, "tmp", &link, &e));
	node = tree_add(t, "usr/sbin/volt-init", &other, &e);
	assert_non_null(node);
	furnish(t, &f);
	assert_int_equal(node->links, 0);
	assert_int_equal(f.node->links, 1);
	assert_true(tree_has(t, "usr/sbin/volt-init"));
	assert_ok(tree_finish(t, &e), &e);
	for (uint32_t i = 0; i < t->root->names_count; i++)
		if (strcmp(t->root->names[i]->text, "tmp") == 0)
			assert_true(S_ISLNK(t->root->names[i]->node->mode));
	furnish_deinit(&f);
}

static void test_none(void **state)
{
	struct furnish f = FURNISH_INIT;
	struct verr e = VERR_INIT;

	assert_ok(furnish_tree(&f, *state, &e), &e);
	assert_false(tree_has(*state, "sbin"));
	assert_true(tree_has(*state, "proc"));
}

static void test_what_cannot_be(void **state)
{
	const struct tree_facts file = {.mode = S_IFREG};
	struct furnish f = FURNISH_INIT;
	struct verr e = VERR_INIT, missing = VERR_INIT, empty = VERR_INIT, way = VERR_INIT,
		    found = VERR_INIT;

	assert_fault(furnish_read_init(&f, "/nowhere", &missing), &missing, VERR_INVALID,
		     "/nowhere");
	assert_fault(furnish_read_init(&f, "/dev/null", &empty), &empty, VERR_INVALID, "/dev/null");
	/* Beside this test there is no volt-init, whose name it says. */
	if (furnish_read_init(&f, NULL, &found) < 0)
		assert_int_equal(found.kind, VERR_NOT_FOUND);
	furnish_deinit(&f);
	assert_ok(furnish_read_init(&f, "/proc/self/exe", &e), &e);
	assert_non_null(tree_add(*state, "sbin", &file, &e));
	assert_fault(furnish_tree(&f, *state, &way), &way, VERR_INVALID,
		     "/sbin/volt-init: its folder is a file");
	furnish_deinit(&f);
}

#define test_of(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_of(test_empty_tree),
		test_of(test_merged_usr),
		test_of(test_none),
		test_of(test_what_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
