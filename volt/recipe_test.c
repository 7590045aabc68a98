/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/recipe.h"

#include <limits.h>
#include <sys/stat.h>

#include "volt/volt_test.h"

/* A recipe that runs these lines of shell. */
static void make_recipe(void **state, const char *lines, char path[PATH_MAX])
{
	FILE *f;

	(void)snprintf(path, PATH_MAX, "%s/recipe", (char *)*state);
	f = fopen(path, "we");
	assert_non_null(f);
	fprintf(f, "#!/bin/sh\n%s\n", lines);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0755), 0);
}

static void test_last_line_is_the_folder(void **state)
{
	char recipe[PATH_MAX], folder[PATH_MAX];
	struct verr e = VERR_INIT;

	make_recipe(state, "echo noise; echo /a/b", recipe);
	assert_ok(recipe_run(recipe, NULL, folder, sizeof(folder), &e), &e);
	assert_string_equal(folder, "/a/b");
	make_recipe(state, "[ $# = 2 ] && [ \"$1\" = -o ] && printf '/%s' \"$2\"", recipe);
	assert_ok(recipe_run(recipe, "out put", folder, sizeof(folder), &e), &e);
	assert_string_equal(folder, "/out put");
	make_recipe(state, "[ $# = 0 ] && yes | head -c 100000; echo; echo /end", recipe);
	assert_ok(recipe_run(recipe, NULL, folder, sizeof(folder), &e), &e);
	assert_string_equal(folder, "/end");
}

static void test_failures_are_told_apart(void **state)
{
	char recipe[PATH_MAX], folder[PATH_MAX];
	static const struct {
		const char *lines, *cause;
	} cases[] = {
		{"echo /x; exit 3", "failed with status 3"},
		{"kill -9 $$", "ended by signal 9"},
		{"true", "names no folder"},
		{"echo relative", "names no folder"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct verr e = VERR_INIT;

		make_recipe(state, cases[i].lines, recipe);
		assert_fault(recipe_run(recipe, NULL, folder, sizeof(folder), &e), &e, VERR_HOST,
			     cases[i].cause);
	}
}

static void test_environment_names_it(void **state)
{
	char recipe[PATH_MAX], found[PATH_MAX];
	struct verr e = VERR_INIT;

	make_recipe(state, "true", recipe);
	(void)setenv("VOLT_KERNEL_RECIPE", recipe, 1);
	assert_ok(recipe_find(found, sizeof(found), &e), &e);
	assert_string_equal(found, recipe);
	(void)setenv("VOLT_KERNEL_RECIPE", "/nowhere/build", 1);
	assert_fault(recipe_find(found, sizeof(found), &e), &e, VERR_INVALID,
		     "VOLT_KERNEL_RECIPE: cannot run /nowhere/build: No such file");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_last_line_is_the_folder),
		cmocka_unit_test(test_failures_are_told_apart),
		cmocka_unit_test(test_environment_names_it),
	};

	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
