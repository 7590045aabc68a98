/* SPDX-License-Identifier: Apache-2.0 */
#include "rootdisk/content.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/own.h"
#include "base/test.h"

#define WINDOW CONTENT_WINDOW

/* What windows came: their offsets and lengths. */
struct seen {
	size_t count;
	uint64_t offset[8];
	size_t len[8];
	uint8_t first[8];
};

static int note(void *arg, struct tree_node *node, uint64_t offset, const void *bytes, size_t len,
		struct verr *e)
{
	struct seen *s = arg;

	(void)node;
	(void)e;
	assert_true(s->count < ARRAY_LEN(s->offset));
	s->offset[s->count] = offset;
	s->len[s->count] = len;
	s->first[s->count++] = *(const uint8_t *)bytes;
	return 0;
}

static void test_pieces_become_windows(void **state)
{
	struct tree_node node = {.size = 3 * WINDOW + 10};
	auto_free uint8_t *bytes = calloc(1, node.size);
	struct seen s = {0};
	struct content c;
	struct verr e = VERR_INIT;

	(void)state;
	assert_non_null(bytes);
	bytes[0] = 1;
	bytes[3 * WINDOW] = 2; /* two windows of zeros before it */
	assert_ok(content_init(&c, note, &s, &e), &e);
	content_begin(&c, &node);
	for (uint64_t at = 0, n; at < node.size; at += n) {
		n = MIN(1000, node.size - at);
		assert_ok(content_put(&c, at, bytes + at, n, &e), &e);
	}
	assert_ok(content_end(&c, &e), &e);
	assert_int_equal(s.count, 2);
	assert_int_equal(s.offset[0], 0);
	assert_int_equal(s.len[0], WINDOW);
	assert_int_equal(s.first[0], 1);
	assert_int_equal(s.offset[1], 3 * WINDOW);
	assert_int_equal(s.len[1], 10);
	assert_int_equal(s.first[1], 2);
	/* With what is zero left out it comes to the same. */
	s = (struct seen){0};
	content_begin(&c, &node);
	assert_ok(content_put(&c, 0, bytes, 1, &e), &e);
	assert_ok(content_put(&c, 3 * WINDOW, bytes + 3 * WINDOW, 1, &e), &e);
	assert_ok(content_end(&c, &e), &e);
	assert_int_equal(s.count, 2);
	assert_int_equal(s.len[0], WINDOW);
	assert_int_equal(s.len[1], 10);
	content_deinit(&c);
}

static void test_pieces_in_disorder(void **state)
{
	struct tree_node node = {.size = 100};
	struct seen s = {0};
	struct content c;
	struct verr e = VERR_INIT, order = VERR_INIT, size = VERR_INIT, wrap = VERR_INIT;

	(void)state;
	assert_ok(content_init(&c, note, &s, &e), &e);
	content_begin(&c, &node);
	assert_ok(content_put(&c, 10, "abc", 3, &e), &e);
	assert_fault(content_put(&c, 12, "d", 1, &order), &order, VERR_INVALID, "not in order");
	assert_fault(content_put(&c, 99, "de", 2, &size), &size, VERR_INVALID,
		     "longer than it says");
	assert_fault(content_put(&c, UINT64_MAX, "de", 2, &wrap), &wrap, VERR_INVALID,
		     "longer than it says");
	content_deinit(&c);
}

static void test_survey(void **state)
{
	struct tree t;
	struct tree_node a = {.size = 16 * WINDOW}, b = a;
	struct content c;
	struct verr e = VERR_INIT;

	(void)state;
	assert_ok(tree_init(&t, &e), &e);
	assert_ok(content_init(&c, content_survey, &t, &e), &e);
	content_begin(&c, &a);
	assert_ok(content_put(&c, 1, "x", 1, &e), &e);
	assert_ok(content_put(&c, WINDOW, "x", 1, &e), &e);
	assert_ok(content_put(&c, 4 * WINDOW, "x", 1, &e), &e);
	assert_ok(content_put(&c, 15 * WINDOW, "x", 1, &e), &e);
	assert_ok(content_end(&c, &e), &e);
	assert_int_equal(a.runs_count, 3);
	assert_int_equal(a.runs[0].count, 2 * WINDOW / TREE_BLOCK);
	assert_int_equal(a.runs[1].first, 4 * WINDOW / TREE_BLOCK);
	assert_int_equal(a.runs[2].first, 15 * WINDOW / TREE_BLOCK);
	/* The same bytes elsewhere are another content. */
	content_begin(&c, &b);
	assert_ok(content_put(&c, 2, "x", 1, &e), &e);
	assert_ok(content_end(&c, &e), &e);
	assert_memory_not_equal(&a.digest, &b.digest, sizeof(a.digest));
	content_deinit(&c);
	tree_deinit(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces_become_windows),
		cmocka_unit_test(test_pieces_in_disorder),
		cmocka_unit_test(test_survey),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
