/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/json.h"

#include <stdint.h>
#include <string.h>

#include "rootfs/volt-init/utf8.h"

void json_init(struct json *json, const char *text, size_t size, char *room, struct why *why)
{
	*json = (struct json){
		.text = text,
		.size = size,
		.why = why,
		.room = room,
		.left = size,
	};
}

int json_refuse(const struct json *json, size_t at, const char *what)
{
	if (json->key)
		return why_set(json->why, "offset %zu: \"%.64s\": %s", at, json->key, what);
	return why_set(json->why, "offset %zu: %s", at, what);
}

static void skip_blanks(struct json *json)
{
	while (json->at < json->size) {
		char c = json->text[json->at];

		if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
			break;
		json->at++;
	}
}

/* Takes "c" where it comes next. */
static bool take(struct json *json, char c)
{
	skip_blanks(json);
	if (json->at == json->size || json->text[json->at] != c)
		return false;
	json->at++;
	return true;
}

static int open_with(struct json *json, char bracket, const char *otherwise)
{
	if (!take(json, bracket))
		return json_refuse(json, json->at, otherwise);
	json->first = true;
	return 0;
}

int json_object(struct json *json)
{
	return open_with(json, '{', "expected an object");
}

int json_array(struct json *json)
{
	return open_with(json, '[', "expected an array");
}

/* What stands between two values: a comma before all but the first, or the closing bracket. */
static int separate(struct json *json, char bracket, const char *otherwise)
{
	bool first = json->first;

	json->first = false;
	if (take(json, bracket))
		return 0;
	if (!first && !take(json, ','))
		return json_refuse(json, json->at, otherwise);
	return 1;
}

int json_item(struct json *json)
{
	return separate(json, ']', "expected ',' or ']'");
}

int json_member(struct json *json, char **name)
{
	int more = separate(json, '}', "expected ',' or '}'");

	if (more <= 0)
		return more;
	if (json_string(json, name) < 0)
		return -1;
	if (!take(json, ':'))
		return json_refuse(json, json->at, "expected ':'");
	return 1;
}

static int put(struct json *json, const char *bytes, size_t count)
{
	if (count > json->left)
		return json_refuse(json, json->at, "too long");
	memcpy(json->room, bytes, count);
	json->room += count;
	json->left -= count;
	return 0;
}

/* Four hexadecimal digits. */
static int hex4(struct json *json, uint32_t *value)
{
	*value = 0;
	for (int i = 0; i < 4; i++) {
		char c = json->at < json->size ? json->text[json->at] : '\0';
		uint32_t digit;

		if (c >= '0' && c <= '9')
			digit = (uint32_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			digit = (uint32_t)((c | 0x20) - 'a') + 10;
		else
			return json_refuse(json, json->at, "expected four hexadecimal digits");
		*value = *value << 4 | digit;
		json->at++;
	}
	return 0;
}

/* What follows "\u": one UTF-16 unit, or two that make one character. */
static int unicode(struct json *json)
{
	size_t start = json->at;
	uint32_t code, low;
	char bytes[UTF8_MAX];

	if (hex4(json, &code) < 0)
		return -1;
	if (code == 0)
		return json_refuse(json, start, "a string cannot hold a NUL");
	if (code >= 0xdc00 && code <= 0xdfff)
		return json_refuse(json, start, "half of a surrogate pair");
	if (code >= 0xd800 && code <= 0xdbff) {
		if (json->size - json->at < 2 || memcmp(json->text + json->at, "\\u", 2) != 0)
			return json_refuse(json, start, "half of a surrogate pair");
		json->at += 2;
		if (hex4(json, &low) < 0)
			return -1;
		if (low < 0xdc00 || low > 0xdfff)
			return json_refuse(json, start, "half of a surrogate pair");
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
	}
	return put(json, bytes, utf8_encode(code, bytes));
}

static int escape(struct json *json)
{
	static const char names[] = "\"\\/bfnrt";
	static const char values[] = "\"\\/\b\f\n\r\t";
	char c = json->at < json->size ? json->text[json->at] : '\0';

	if (c == 'u') {
		json->at++;
		return unicode(json);
	}
	const char *found = c ? strchr(names, c) : NULL;
	if (!found)
		return json_refuse(json, json->at, "unknown escape");
	json->at++;
	return put(json, &values[found - names], 1);
}

/* One character that stands for itself. */
static int plain(struct json *json)
{
	size_t size = utf8_measure(json->text + json->at, json->size - json->at);

	if (size == 0)
		return json_refuse(json, json->at, "not UTF-8");
	if (put(json, json->text + json->at, size) < 0)
		return -1;
	json->at += size;
	return 0;
}

int json_string(struct json *json, char **string)
{
	if (!take(json, '"'))
		return json_refuse(json, json->at, "expected a string");
	json->token = json->at - 1;
	*string = json->room;
	for (;;) {
		if (json->at == json->size)
			return json_refuse(json, json->at, "the string does not end");
		unsigned char c = (unsigned char)json->text[json->at];
		if (c == '"')
			break;
		if (c < 0x20)
			return json_refuse(json, json->at, "control character in a string");
		if (c == '\\')
			json->at++;
		if ((c == '\\' ? escape(json) : plain(json)) < 0)
			return -1;
	}
	json->at++;
	return put(json, "", 1);
}

int json_end(struct json *json)
{
	skip_blanks(json);
	if (json->at != json->size)
		return json_refuse(json, json->at, "expected the end");
	return 0;
}
