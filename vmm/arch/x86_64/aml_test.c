/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/arch/x86_64/aml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"

#define assert_aml(a, ...)                                         \
	do {                                                       \
		static const uint8_t expected_[] = {__VA_ARGS__};  \
		assert_null((a)->problem);                         \
		assert_int_equal((a)->len, sizeof(expected_));     \
		assert_memory_equal((a)->at, expected_, (a)->len); \
	} while (0)

static void test_integer_takes_its_shortest_form(void **state)
{
	uint8_t buffer[64];
	struct aml a = aml_over(buffer, sizeof(buffer));

	(void)state;
	aml_integer(&a, 0);
	aml_integer(&a, 1);
	aml_integer(&a, 2);
	aml_integer(&a, 0xFF);
	aml_integer(&a, 0x100);
	aml_integer(&a, 0xFFFF);
	aml_integer(&a, 0x10000);
	aml_integer(&a, 0xFFFFFFFF);
	aml_integer(&a, 0x100000000);
	assert_aml(&a, 0x00, 0x01, 0x0A, 0x02, 0x0A, 0xFF, 0x0B, 0x00, 0x01, 0x0B, 0xFF, 0xFF, 0x0C,
		   0x00, 0x00, 0x01, 0x00, 0x0C, 0xFF, 0xFF, 0xFF, 0xFF, 0x0E, 0x00, 0x00, 0x00,
		   0x00, 0x01, 0x00, 0x00, 0x00);
}

static void test_string_ends_with_zero(void **state)
{
	uint8_t buffer[8];
	struct aml a = aml_over(buffer, sizeof(buffer));

	(void)state;
	aml_string(&a, "VOLT");
	assert_aml(&a, 0x0D, 'V', 'O', 'L', 'T', 0);
}

/* EisaId ("PNP0501") and EisaId ("ABC09AF"), as iasl compiles them. */
static void test_hardware_id_packs_eisa_ids(void **state)
{
	uint8_t buffer[16];
	struct aml a = aml_over(buffer, sizeof(buffer));

	(void)state;
	aml_hardware_id(&a, "PNP0501");
	aml_hardware_id(&a, "ABC09AF");
	assert_aml(&a, 0x0C, 0x41, 0xD0, 0x05, 0x01, 0x0C, 0x04, 0x43, 0x09, 0xAF);
}

static void test_hardware_id_keeps_others_as_strings(void **state)
{
	static const char *const ids[] = {"LNRO0005", "QEMU0001", "PNP050", "PNP050G",
					  "pnp0501",  "PN00501",  "PNP050a"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		uint8_t buffer[16];
		struct aml a = aml_over(buffer, sizeof(buffer));

		aml_hardware_id(&a, ids[i]);
		assert_null(a.problem);
		assert_int_equal(a.len, strlen(ids[i]) + 2);
		assert_int_equal(buffer[0], 0x0D);
		assert_string_equal((const char *)buffer + 1, ids[i]);
	}
}

static void test_name_is_padded(void **state)
{
	uint8_t buffer[32];
	struct aml a = aml_over(buffer, sizeof(buffer));

	(void)state;
	aml_name(&a, "A");
	aml_name(&a, "_S5");
	aml_name(&a, "V009");
	assert_aml(&a, 8, 'A', '_', '_', '_', 8, '_', 'S', '5', '_', 8, 'V', '0', '0', '9');
}

static void test_bad_name_is_a_problem(void **state)
{
	static const char *const names[] = {"", "COM10", "0COM", "com1", "CO-1", "\\COM"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		uint8_t buffer[32];
		struct aml a = aml_over(buffer, sizeof(buffer));

		aml_name(&a, names[i]);
		assert_non_null(a.problem);
		assert_string_equal(a.problem, "bad ACPI name");
		aml_integer(&a, UINT64_MAX); /* the first problem stays */
		assert_string_equal(a.problem, "bad ACPI name");
	}
}

static void test_bodies_nest(void **state)
{
	uint8_t buffer[64];
	struct aml a = aml_over(buffer, sizeof(buffer));
	size_t scope, device, package;

	(void)state;
	scope = aml_scope(&a, "\\_SB");
	device = aml_device(&a, "DEV");
	aml_name(&a, "PKG");
	package = aml_package(&a, 2);
	aml_integer(&a, 7);
	aml_integer(&a, 0);
	aml_end(&a, package);
	aml_end(&a, device);
	aml_end(&a, scope);
	assert_aml(&a, 0x10, 0x18, '\\', '_', 'S', 'B', '_', /* Scope */
		   0x5B, 0x82, 0x10, 'D', 'E', 'V', '_',     /* Device */
		   0x08, 'P', 'K', 'G', '_',                 /* Name */
		   0x12, 0x05, 0x02, 0x0A, 0x07, 0x00);      /* Package */
}

/* The length of a body whose content, the length apart, has `content` bytes; its own bytes. */
static void check_length(size_t content, const uint8_t *expected, size_t bytes)
{
	size_t room = content + 8;
	auto_free uint8_t *buffer = malloc(room);
	struct aml a;
	size_t body;

	assert_non_null(buffer);
	a = aml_over(buffer, room);
	body = aml_scope(&a, "AAAA");
	for (size_t i = 4; i < content; i++)
		aml_integer(&a, 1);
	aml_end(&a, body);
	assert_null(a.problem);
	assert_int_equal(a.len, 1 + bytes + content);
	assert_memory_equal(buffer + 1, expected, bytes);
	assert_memory_equal(buffer + 1 + bytes, "AAAA", 4);
	assert_int_equal(buffer[a.len - 1], 1);
}

static void test_length_grows_with_the_body(void **state)
{
	(void)state;
	check_length(62, (const uint8_t[]){0x3F}, 1);
	check_length(63, (const uint8_t[]){0x41, 0x04}, 2);
	check_length(0xFFF - 2, (const uint8_t[]){0x4F, 0xFF}, 2);
	check_length(0xFFF - 1, (const uint8_t[]){0x81, 0x00, 0x01}, 3);
	check_length(0xFFFFF - 3, (const uint8_t[]){0x8F, 0xFF, 0xFF}, 3);
	check_length(0xFFFFF - 2, (const uint8_t[]){0xC1, 0x00, 0x00, 0x01}, 4);
}

/*
 * As iasl compiles
 *	ResourceTemplate () {
 *		IO (Decode16, 0x03F8, 0x03F8, 0x01, 0x08)
 *		Memory32Fixed (ReadWrite, 0xC0003000, 0x00001000)
 *		Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive) { 8 }
 *	}
 */
static void test_resources_match_the_compiler(void **state)
{
	uint8_t buffer[64];
	struct aml a = aml_over(buffer, sizeof(buffer));
	size_t body;

	(void)state;
	body = aml_resources(&a);
	aml_io_ports(&a, 0x3F8, 8);
	aml_memory32(&a, 0xC0003000, 0x1000);
	aml_interrupt(&a, 8);
	aml_resources_end(&a, body);
	assert_aml(&a, 0x11, 0x22, 0x0A, 0x1F,                     /* Buffer */
		   0x47, 0x01, 0xF8, 0x03, 0xF8, 0x03, 0x01, 0x08, /* IO */
		   0x86, 0x09, 0x00, 0x01, 0x00, 0x30, 0x00, 0xC0, 0x00, 0x10, 0x00, 0x00, /* mem */
		   0x89, 0x06, 0x00, 0x03, 0x01, 0x08, 0x00, 0x00, 0x00,                   /* irq */
		   0x79, 0x00);
}

static void build_everything(struct aml *a)
{
	size_t scope = aml_scope(a, "\\_SB"), device = aml_device(a, "DEV"), body;

	aml_name(a, "_HID");
	aml_hardware_id(a, "PNP0501");
	aml_name(a, "_CID");
	aml_hardware_id(a, "LNRO0005");
	aml_name(a, "_CRS");
	body = aml_resources(a);
	aml_io_ports(a, 0x3F8, 8);
	aml_memory32(a, 0xC0000000, 0x1000);
	aml_interrupt(a, 4);
	aml_resources_end(a, body);
	aml_name(a, "PKG");
	body = aml_package(a, 1);
	aml_integer(a, UINT64_MAX);
	aml_end(a, body);
	aml_end(a, device);
	aml_end(a, scope);
}

/* The heap's red zones (a sanitizer build) and the canary see a byte past any buffer too small. */
static void test_never_writes_past_the_buffer(void **state)
{
	uint8_t whole[256];
	struct aml a = aml_over(whole, sizeof(whole));
	size_t needed;

	(void)state;
	build_everything(&a);
	assert_null(a.problem);
	needed = a.len;
	for (size_t size = 0; size <= needed; size++) {
		auto_free uint8_t *buffer = malloc(size + 1);

		assert_non_null(buffer);
		buffer[size] = 0xA5;
		a = aml_over(buffer, size);
		build_everything(&a);
		assert_int_equal(buffer[size], 0xA5);
		if (size < needed) {
			assert_non_null(a.problem);
			assert_string_equal(a.problem, "the AML does not fit");
		} else {
			assert_null(a.problem);
			assert_memory_equal(buffer, whole, needed);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integer_takes_its_shortest_form),
		cmocka_unit_test(test_string_ends_with_zero),
		cmocka_unit_test(test_hardware_id_packs_eisa_ids),
		cmocka_unit_test(test_hardware_id_keeps_others_as_strings),
		cmocka_unit_test(test_name_is_padded),
		cmocka_unit_test(test_bad_name_is_a_problem),
		cmocka_unit_test(test_bodies_nest),
		cmocka_unit_test(test_length_grows_with_the_body),
		cmocka_unit_test(test_resources_match_the_compiler),
		cmocka_unit_test(test_never_writes_past_the_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
