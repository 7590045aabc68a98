/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/net/firewall.h"

#include "base/test.h"

#define CHAIN(name, hook, policy)                                                              \
	"{\"chain\": {\"family\": \"ip\", \"table\": \"filter\", \"name\": \"" name            \
	"\", \"type\": \"filter\", \"hook\": \"" hook "\", \"prio\": 0, \"policy\": \"" policy \
	"\"}}"
#define LISTING(...) "{\"nftables\": [{\"metainfo\": {}}, " __VA_ARGS__ "]}"

static void test_found(void **state)
{
	char chain[64] = "";

	(void)state;
	assert_true(firewall_find_drop(
		LISTING(CHAIN("INPUT", "input", "drop") ", " CHAIN("FORWARD", "forward", "drop")),
		chain, sizeof(chain)));
	assert_string_equal(chain, "ip filter FORWARD");
}

static void test_none(void **state)
{
	static const char *const listings[] = {
		"",
		"[]",
		"{}",
		"{\"nftables\": 7}",
		"{\"nftables\": [7, {\"chain\": []}, {\"chain\": {\"hook\": \"forward\"}}]}",
		"{\"nftables\": [{\"chain\": {\"hook\": \"forward\", \"policy\": \"drop\"}}]}",
		LISTING(CHAIN("FORWARD", "forward", "accept")),
		LISTING(CHAIN("INPUT", "input", "drop")),
	};
	char chain[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(listings); i++)
		assert_false(firewall_find_drop(listings[i], chain, sizeof(chain)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
