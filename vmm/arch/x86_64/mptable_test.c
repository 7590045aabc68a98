/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/arch/x86_64/platform.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "vmm/arch/x86_64/layout.h"

enum { POINTER_LEN = 16, TABLE_LEN = 44, PROCESSOR_LEN = 20, OTHER_LEN = 8 };

static int setup(void **state)
{
	const struct mem_options options = {.size = MIB(1), .huge = MEM_HUGE_OFF};
	struct verr e = VERR_INIT;
	struct mem *mem = NULL;

	assert_int_equal(mem_new(&options, &mem, &e), 0);
	*state = mem;
	return 0;
}

static int teardown(void **state)
{
	*state = mem_free(*state);
	return 0;
}

static uint8_t sum_of(const uint8_t *at, size_t len)
{
	unsigned sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += at[i];
	return (uint8_t)sum;
}

/* Write the tables and follow the floating pointer to a configuration table of right checksum. */
static const uint8_t *table_write(struct mem *mem, uint32_t cpus)
{
	struct platform platform = {.cpus = cpus};
	struct verr e = VERR_INIT;
	const uint8_t *pointer, *table;
	uint16_t len;

	if (mptable_write(mem, &platform, &e) < 0)
		fail_msg("%s", e.text);
	pointer = mem_ptr(mem, LAYOUT_MPTABLE, POINTER_LEN);
	assert_non_null(pointer);
	assert_memory_equal(pointer, "_MP_", 4);
	assert_int_equal(le32(pointer + 4), LAYOUT_MPTABLE + POINTER_LEN);
	assert_int_equal(pointer[8], 1);
	assert_int_equal(pointer[9], 4);
	assert_int_equal(sum_of(pointer, POINTER_LEN), 0);
	assert_int_equal(pointer[11], 0); /* not a default configuration */
	assert_int_equal(pointer[12], 0); /* no IMCR */
	table = mem_ptr(mem, le32(pointer + 4), TABLE_LEN);
	assert_non_null(table);
	len = le16(table + 4);
	assert_true(le32(pointer + 4) + len <= LAYOUT_MPTABLE_END);
	assert_int_equal(sum_of(table, len), 0);
	return table;
}

static void test_header(void **state)
{
	const uint8_t *table = table_write(*state, 1);

	assert_memory_equal(table, "PCMP", 4);
	assert_int_equal(table[6], 4);
	assert_memory_equal(table + 8, "VOLT    MICROVM     ", 20);
	assert_int_equal(le32(table + 28), 0); /* no OEM table */
	assert_int_equal(le16(table + 32), 0);
	assert_int_equal(le32(table + 36), LAYOUT_LAPIC);
	assert_int_equal(le16(table + 40), 0); /* no extended table */
}

/* Walk the entries by their types: sorted, as many as announced, ending where the table ends. */
static void check_walk(const uint8_t *table, uint32_t cpus)
{
	unsigned counts[5] = {0};
	const uint8_t *entry = table + TABLE_LEN, *end = table + le16(table + 4);
	uint8_t last = 0;

	for (unsigned i = 0; i < le16(table + 34); i++) {
		assert_true(entry < end);
		assert_in_range(entry[0], last, 4);
		last = entry[0];
		counts[last]++;
		entry += last == 0 ? PROCESSOR_LEN : OTHER_LEN;
	}
	assert_ptr_equal(entry, end);
	assert_int_equal(counts[0], cpus);
	assert_int_equal(counts[1], 1);
	assert_int_equal(counts[2], 1);
	assert_int_equal(counts[3], LAYOUT_IOAPIC_PINS);
	assert_int_equal(counts[4], 2);
}

static void check_processors(const uint8_t *entry, uint32_t cpus)
{
	for (uint32_t i = 0; i < cpus; i++, entry += PROCESSOR_LEN) {
		assert_int_equal(entry[0], 0);
		assert_int_equal(entry[1], i);
		assert_int_equal(entry[2], 0x14);
		assert_int_equal(entry[3], i == 0 ? 3 : 1); /* enabled; the first one boots */
	}
}

static void check_interrupts(const uint8_t *entry, uint8_t ioapic)
{
	const uint8_t extint[] = {4, 3, 0, 0, 0, 0, 0, 0};
	const uint8_t nmi[] = {4, 1, 0, 0, 0, 0, 0xFF, 1};

	for (uint8_t pin = 0; pin < LAYOUT_IOAPIC_PINS; pin++, entry += OTHER_LEN) {
		const uint8_t expected[] = {3, 0, 0, 0, 0, pin, ioapic, pin};

		assert_memory_equal(entry, expected, sizeof(expected));
	}
	assert_memory_equal(entry, extint, sizeof(extint));
	assert_memory_equal(entry + OTHER_LEN, nmi, sizeof(nmi));
}

static void check_table(struct mem *mem, uint32_t cpus)
{
	static const uint8_t bus[] = {1, 0, 'I', 'S', 'A', ' ', ' ', ' '};
	const uint8_t *table = table_write(mem, cpus);
	const uint8_t *entry = table + TABLE_LEN + (size_t)cpus * PROCESSOR_LEN;
	uint8_t ioapic = entry[OTHER_LEN + 1];

	check_walk(table, cpus);
	check_processors(table + TABLE_LEN, cpus);
	assert_memory_equal(entry, bus, sizeof(bus));
	entry += OTHER_LEN;
	assert_int_equal(entry[0], 2);
	assert_true(ioapic >= cpus); /* no CPU has this id */
	assert_int_equal(entry[2], 0x11);
	assert_int_equal(entry[3], 1);
	assert_int_equal(le32(entry + 4), LAYOUT_IOAPIC);
	check_interrupts(entry + OTHER_LEN, ioapic);
}

static void test_entries(void **state)
{
	check_table(*state, 1);
	check_table(*state, 2);
	check_table(*state, 254);
	check_table(*state, PLATFORM_CPUS_MAX);
}

static void test_bad_cpus_are_faults(void **state)
{
	static const struct {
		uint32_t cpus;
		const char *text;
	} rows[] = {{0, "MP table: 0 CPUs"}, {256, "MP table: 256 CPUs"}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct platform platform = {.cpus = rows[i].cpus};
		struct verr e = VERR_INIT;

		assert_int_equal(mptable_write(*state, &platform, &e), -1);
		assert_int_equal(e.kind, VERR_INVALID);
		assert_string_equal(e.text, rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_header, setup, teardown),
		cmocka_unit_test_setup_teardown(test_entries, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_cpus_are_faults, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
