/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/config/mac.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/test.h"

static void test_text(void **state)
{
	static const char *const bad[] = {"",
					  "02:00:00:00:00",
					  "02:00:00:00:00:0",
					  "02:00:00:00:00:01:",
					  "02:00:00:00:00:001",
					  "02-00-00-00-00-01",
					  "0g:00:00:00:00:01",
					  "020000000001",
					  " 02:00:00:00:00:01",
					  ":::::",
					  "02:00:00:00:00:01 "};
	static const uint8_t expected[MAC_LEN] = {0x02, 0xAB, 0xCD, 0xEF, 0x00, 0x9F};
	uint8_t mac[MAC_LEN];

	(void)state;
	assert_true(mac_parse("02:ab:Cd:EF:00:9f", mac));
	assert_memory_equal(mac, expected, MAC_LEN);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(mac_parse(bad[i], mac));
}

static void test_unicast(void **state)
{
	static const struct {
		uint8_t mac[MAC_LEN];
		bool unicast;
	} rows[] = {
		{{0x02, 0, 0, 0, 0, 1}, true},  {{0x52, 0x54, 0, 0x12, 0x34, 0x56}, true},
		{{0x03, 0, 0, 0, 0, 1}, false}, {{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, false},
		{{0, 0, 0, 0, 0, 0}, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(mac_is_unicast(rows[i].mac), rows[i].unicast);
}

/* Machines keep their addresses from one version of Volt to the next. */
static void test_derived_addresses_stay(void **state)
{
	uint8_t mac[MAC_LEN], again[MAC_LEN];

	(void)state;
	mac_derive("web", "net0", mac);
	mac_derive("web", "net0", again);
	assert_memory_equal(mac, again, MAC_LEN);
	assert_int_equal(mac[0], 0x02);
	assert_memory_equal(mac, ((uint8_t[]){0x02, 0x36, 0x02, 0xDF, 0xF8, 0xA6}), MAC_LEN);
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, MAC_LEN);
}

/* Names that differ little, and where one ends and the other begins, make other addresses. */
static void test_derived_addresses_differ(void **state)
{
	enum { MACHINES = 2000, NICS = 4, COUNT = MACHINES * NICS };
	uint8_t(*macs)[MAC_LEN] = calloc(COUNT + 2, MAC_LEN);
	char machine[16], nic[16];

	(void)state;
	assert_non_null(macs);
	for (size_t i = 0; i < COUNT; i++) {
		(void)snprintf(machine, sizeof(machine), "vm%zu", i / NICS);
		(void)snprintf(nic, sizeof(nic), "net%zu", i % NICS);
		mac_derive(machine, nic, macs[i]);
		assert_true(mac_is_unicast(macs[i]));
	}
	mac_derive("a", "bc", macs[COUNT]);
	mac_derive("ab", "c", macs[COUNT + 1]);
	qsort(macs, COUNT + 2, MAC_LEN, compare);
	for (size_t i = 1; i < COUNT + 2; i++)
		assert_int_not_equal(memcmp(macs[i - 1], macs[i], MAC_LEN), 0);
	free(macs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_unicast),
		cmocka_unit_test(test_derived_addresses_stay),
		cmocka_unit_test(test_derived_addresses_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
