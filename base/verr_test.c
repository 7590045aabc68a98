/* SPDX-License-Identifier: Apache-2.0 */
#include "base/verr.h"

#include "base/test.h"

static int open_it(struct verr *e)
{
	errno = ENOENT;
	return verr_os(e, "open %s", "/a/b");
}

static void test_os_fault(void **state)
{
	struct verr e = VERR_INIT;

	(void)state;
	assert_int_equal(open_it(&e), -1);
	assert_int_equal(e.kind, VERR_HOST);
	assert_int_equal(e.os, ENOENT);
	assert_string_equal(e.text, "open /a/b: No such file or directory");
	assert_non_null(strstr(e.file, "verr_test.c"));
	assert_true(e.line > 0);
}

static void test_first_cause_wins(void **state)
{
	struct verr e = VERR_INIT;

	(void)state;
	assert_int_equal(verr_invalid(&e, "first %d", 1), -1);
	assert_int_equal(open_it(&e), -1);
	assert_fault(-1, &e, VERR_INVALID, "first 1");
	assert_int_equal(e.os, 0);
}

static void test_notes_go_in_front(void **state)
{
	struct verr e = VERR_INIT;

	(void)state;
	(void)open_it(&e);
	assert_int_equal(verr_note(&e, "drive %s", "a"), -1);
	assert_int_equal(verr_note(&e, "machine"), -1);
	assert_string_equal(e.text, "machine: drive a: open /a/b: No such file or directory");
	assert_int_equal(e.kind, VERR_HOST);
}

/* Whatever the length, the text ends inside its array. */
static void test_long_texts_are_cut(void **state)
{
	char text[2 * VERR_TEXT];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	for (size_t len = 0; len < sizeof(text); len += 7) {
		struct verr e = VERR_INIT;
		const char *tail = text + sizeof(text) - 1 - len;

		errno = EIO;
		(void)verr_os(&e, "%s", tail);
		assert_true(strlen(e.text) < VERR_TEXT);
		(void)verr_note(&e, "%s", tail);
		assert_true(strlen(e.text) < VERR_TEXT);
		(void)verr_note(&e, "end");
		assert_memory_equal(e.text, "end: ", 5);
	}
}

static void test_kinds_have_names(void **state)
{
	(void)state;
	for (int kind = VERR_NONE; kind <= VERR_HOST; kind++)
		assert_string_not_equal(verr_kind_name((enum verr_kind)kind), "unknown");
	assert_string_equal(verr_kind_name(VERR_NOT_FOUND), "not found");
	assert_string_equal(verr_kind_name((enum verr_kind)99), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_os_fault),          cmocka_unit_test(test_first_cause_wins),
		cmocka_unit_test(test_notes_go_in_front), cmocka_unit_test(test_long_texts_are_cut),
		cmocka_unit_test(test_kinds_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
