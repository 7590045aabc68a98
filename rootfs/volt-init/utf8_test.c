/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <cmocka.h>

static bool is_character(uint32_t code)
{
	return code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}

static void every_character_comes_back(void **state)
{
	static const size_t lengths[] = {0x80, 0x800, 0x10000, 0x110000};

	(void)state;
	for (uint32_t code = 0; code <= 0x10ffff; code++) {
		char bytes[UTF8_MAX];
		size_t wanted = 0;

		if (!is_character(code))
			continue;
		while (code >= lengths[wanted])
			wanted++;
		wanted++;
		size_t size = utf8_encode(code, bytes);
		assert_int_equal(size, wanted);
		assert_int_equal(utf8_measure(bytes, size), size);
		assert_int_equal(utf8_measure(bytes, size - 1), 0);
	}
}

static void what_is_no_character_is_refused(void **state)
{
	static const char *const bad[] = {
		"\x80",
		"\xbf",
		"\xc0\x80",
		"\xc1\xbf",
		"\xe0\x9f\xbf",
		"\xed\xa0\x80",
		"\xed\xbf\xbf",
		"\xf0\x8f\xbf\xbf",
		"\xf4\x90\x80\x80",
		"\xf8\x88\x80\x80",
		"\xff\x80\x80\x80",
		"\xc3(((",
		"\xe2\x82((",
		"\xf0\x9d\x84(",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		for (size_t size = 0; bad[i][size]; size++)
			assert_int_equal(utf8_measure(bad[i], size + 1), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_character_comes_back),
		cmocka_unit_test(what_is_no_character_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
