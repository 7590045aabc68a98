/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
	struct json json;
	struct why why;
	char *text;
	char *room;
};

/* Both in memory of exactly their size, so that the sanitizer sees a byte too many. */
static void start(struct fixture *f, const char *text, size_t size)
{
	char *copy = malloc(size ? size : 1);
	char *room = malloc(size ? size : 1);

	if (!copy || !room)
		abort();
	memcpy(copy, text, size);
	json_init(&f->json, copy, size, room, &f->why);
	f->text = copy;
	f->room = room;
}

static void end(struct fixture *f)
{
	free(f->text);
	free(f->room);
}

static void strings_decode(void **state)
{
	static const struct {
		const char *text;
		const char *string;
	} cases[] = {
		{"\"\"", ""},
		{" \t\r\n\"a\" ", "a"},
		{"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
		{"\"\\u0041\\u00e9\\u20AC\\ud834\\udd1e\"",
		 "A\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e"},
		{"\"\x7f\xc3\xa9\xf4\x8f\xbf\xbf\"", "\x7f\xc3\xa9\xf4\x8f\xbf\xbf"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture f;
		char *string;

		start(&f, cases[i].text, strlen(cases[i].text));
		assert_int_equal(json_string(&f.json, &string), 0);
		assert_string_equal(string, cases[i].string);
		assert_int_equal(json_end(&f.json), 0);
		end(&f);
	}
}

static void bad_strings_are_refused(void **state)
{
	static const struct {
		const char *text;
		size_t size; /* 0: up to the NUL */
		const char *why;
	} cases[] = {
		{"", 0, "offset 0: expected a string"},
		{"  7", 0, "offset 2: expected a string"},
		{"true", 0, "offset 0: expected a string"},
		{"'a'", 0, "offset 0: expected a string"},
		{"\"", 0, "offset 1: the string does not end"},
		{"\"abc", 0, "offset 4: the string does not end"},
		{"\"a\n\"", 0, "offset 2: control character in a string"},
		{"\"a\0b\"", 5, "offset 2: control character in a string"},
		{"\"\\", 0, "offset 2: unknown escape"},
		{"\"\\x41\"", 0, "offset 2: unknown escape"},
		{"\"\\\0\"", 4, "offset 2: unknown escape"},
		{"\"\\u12", 0, "offset 5: expected four hexadecimal digits"},
		{"\"\\u00g0\"", 0, "offset 5: expected four hexadecimal digits"},
		{"\"\\u0000\"", 0, "offset 3: a string cannot hold a NUL"},
		{"\"\\ud834\"", 0, "offset 3: half of a surrogate pair"},
		{"\"\\udd1e\"", 0, "offset 3: half of a surrogate pair"},
		{"\"\\ud834\\u0041\"", 0, "offset 3: half of a surrogate pair"},
		{"\"\\ud834\\", 0, "offset 3: half of a surrogate pair"},
		{"\"\x80\"", 0, "offset 1: not UTF-8"},
		{"\"\xc3", 0, "offset 1: not UTF-8"},
		{"\"\xc0\xaf\"", 0, "offset 1: not UTF-8"},
		{"\"\xed\xa0\x80\"", 0, "offset 1: not UTF-8"},
		{"\"\xf4\x90\x80\x80\"", 0, "offset 1: not UTF-8"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture f;
		char *string;

		start(&f, cases[i].text, cases[i].size ? cases[i].size : strlen(cases[i].text));
		assert_int_equal(json_string(&f.json, &string), -1);
		assert_string_equal(f.why.text, cases[i].why);
		end(&f);
	}
}

static void members_and_items_come_in_order(void **state)
{
	static const char text[] = " { \"a\" : [ \"1\" , \"2\" ] , \"b\" : { } , \"c\" : [ ] } ";
	struct fixture f;
	char *name, *string;

	(void)state;
	start(&f, text, strlen(text));
	assert_int_equal(json_object(&f.json), 0);
	assert_int_equal(json_member(&f.json, &name), 1);
	assert_string_equal(name, "a");
	assert_int_equal(json_array(&f.json), 0);
	assert_int_equal(json_item(&f.json), 1);
	assert_int_equal(json_string(&f.json, &string), 0);
	assert_string_equal(string, "1");
	assert_int_equal(json_item(&f.json), 1);
	assert_int_equal(json_string(&f.json, &string), 0);
	assert_string_equal(string, "2");
	assert_int_equal(json_item(&f.json), 0);
	assert_int_equal(json_member(&f.json, &name), 1);
	assert_string_equal(name, "b");
	assert_int_equal(json_object(&f.json), 0);
	assert_int_equal(json_member(&f.json, &string), 0);
	assert_int_equal(json_member(&f.json, &name), 1);
	assert_string_equal(name, "c");
	assert_int_equal(json_array(&f.json), 0);
	assert_int_equal(json_item(&f.json), 0);
	assert_int_equal(json_member(&f.json, &name), 0);
	assert_int_equal(json_end(&f.json), 0);
	end(&f);
}

/* Walks an object whose values are strings, to its end or its error. */
static int walk(struct json *json)
{
	char *name, *string;
	int more;

	if (json_object(json) < 0)
		return -1;
	while ((more = json_member(json, &name)) > 0) {
		if (json_string(json, &string) < 0)
			return -1;
	}
	return more < 0 ? -1 : json_end(json);
}

static void bad_structure_is_refused(void **state)
{
	static const struct {
		const char *text;
		const char *why;
	} cases[] = {
		{"[]", "offset 0: expected an object"},
		{"{", "offset 1: expected a string"},
		{"{,}", "offset 1: expected a string"},
		{"{\"a\"}", "offset 4: expected ':'"},
		{"{\"a\":\"b\",}", "offset 9: expected a string"},
		{"{\"a\":\"b\" \"c\":\"d\"}", "offset 9: expected ',' or '}'"},
		{"{\"a\":\"b\"", "offset 8: expected ',' or '}'"},
		{"{} {}", "offset 3: expected the end"},
		{"{}x", "offset 2: expected the end"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture f;

		start(&f, cases[i].text, strlen(cases[i].text));
		assert_int_equal(walk(&f.json), -1);
		assert_string_equal(f.why.text, cases[i].why);
		end(&f);
	}
}

static void refusal_names_the_key(void **state)
{
	struct json json;
	struct why why;
	char room[1];

	(void)state;
	json_init(&json, "{", 1, room, &why);
	json.key = "env";
	assert_int_equal(json_refuse(&json, 7, "wrong"), -1);
	assert_string_equal(why.text, "offset 7: \"env\": wrong");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_decode),
		cmocka_unit_test(bad_strings_are_refused),
		cmocka_unit_test(members_and_items_come_in_order),
		cmocka_unit_test(bad_structure_is_refused),
		cmocka_unit_test(refusal_names_the_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
