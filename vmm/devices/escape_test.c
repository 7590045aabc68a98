/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/devices/escape.h"

#include "base/test.h"

/* Feed `input`; the guest must get `output`, the monitor `quits` and `helps`. */
static void check(const char *input, const char *output, unsigned quits, unsigned helps)
{
	struct escape escape = {0};
	char got[64] = {0};
	size_t len, used = 0;

	for (; *input != '\0'; input++) {
		uint8_t out[ESCAPE_OUT_MAX];

		switch (escape_next(&escape, (uint8_t)*input, out, &len)) {
		case ESCAPE_QUIT:
			quits--;
			break;
		case ESCAPE_HELP:
			helps--;
			break;
		case ESCAPE_NONE:
		default:
			break;
		}
		assert_true(len <= ESCAPE_OUT_MAX);
		memcpy(got + used, out, len);
		used += len;
	}
	assert_string_equal(got, output);
	assert_int_equal(quits, 0);
	assert_int_equal(helps, 0);
}

static void test_keys(void **state)
{
	(void)state;
	check("hello x?\r\003\032", "hello x?\r\003\032", 0, 0);
	check("a\001x", "a", 1, 0);
	check("\001Xb", "b", 1, 0);
	check("\001h\001H\001?", "", 0, 3);
	check("\001a\001A", "\001\001", 0, 0);
	check("\001\001x", "\001x", 0, 0);
	check("\001\001\001x", "\001", 1, 0);
	check("\001q\001", "\001q", 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_keys)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
