/* SPDX-License-Identifier: Apache-2.0 */
#include "base/compiler.h"
#include "base/test.h"
#include "vmm/config/cpuid.h"

static void test_good(void **state)
{
	struct cpuid_change c[CPUID_CHANGES_MAX];
	struct verr e = VERR_INIT;

	(void)state;
	assert_int_equal(cpuid_parse(NULL, c, &e), 0);
	assert_int_equal(cpuid_parse("0x7:0:ebx=0b0x1", c, &e), 1);
	assert_int_equal(c[0].leaf, 7);
	assert_int_equal(c[0].subleaf, 0);
	assert_int_equal(c[0].reg, 1);
	assert_int_equal(c[0].clear, 4);
	assert_int_equal(c[0].set, 1);
	assert_int_equal(
		cpuid_parse("2147483649:0b11:edx=0bxxxx_xxxx_xxxx_xxxx_xxxx_xxxx_xxxx_xxxx+"
			    "1:0:eax=0b10000000000000000000000000000000",
			    c, &e),
		2);
	assert_int_equal(c[0].leaf, 0x80000001);
	assert_int_equal(c[0].subleaf, 3);
	assert_int_equal(c[0].clear | c[0].set, 0);
	assert_int_equal(c[1].set, 0x80000000);
	assert_int_equal(c[1].clear, 0x7FFFFFFF);
}

static void test_bad(void **state)
{
	static const char *const texts[] = {
		"",
		"1:0:eax=",
		"1:0:eax=0b",
		"1:0:eax=0b_",
		"1:0:eax=1",
		"1:0:eax=0b2",
		"1:0:esi=0b1",
		"1:0:eaxx=0b1",
		"1:eax=0b1",
		":0:eax=0b1",
		"-1:0:eax=0b1",
		" 1:0:eax=0b1",
		"0x100000000:0:eax=0b1",
		"0b2:0:eax=0b1",
		"0b-1:0:eax=0b1",
		"1:0:eax=0b1+",
		"1:0:eax=0b1:2",
		"1:0:eax=0bxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
	};
	struct cpuid_change c[CPUID_CHANGES_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct verr e = VERR_INIT;

		assert_fault(cpuid_parse(texts[i], c, &e), &e, VERR_INVALID,
			     "expected LEAF:SUBLEAF");
	}
}

static void test_too_many(void **state)
{
	struct cpuid_change c[CPUID_CHANGES_MAX];
	char text[(CPUID_CHANGES_MAX + 1) * 12 + 1] = "";
	struct verr e = VERR_INIT;

	(void)state;
	for (size_t i = 0; i <= CPUID_CHANGES_MAX; i++)
		memcpy(text + i * 12, "1:0:eax=0b1+", 13);
	text[CPUID_CHANGES_MAX * 12 - 1] = '\0';
	assert_int_equal(cpuid_parse(text, c, &e), CPUID_CHANGES_MAX);
	text[CPUID_CHANGES_MAX * 12 - 1] = '+';
	text[sizeof(text) - 2] = '\0';
	assert_fault(cpuid_parse(text, c, &e), &e, VERR_INVALID, "at most 128");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_too_many),
	};

	return cmocka_run_group_tests_name("vmm/config/cpuid", tests, NULL, NULL);
}
