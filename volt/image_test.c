/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/image.h"

#include "volt/volt_test.h"

#define FILE_LEN 2048
#define PAYLOAD 1100
#define PAYLOAD_LEN 900

/* A bzImage with one sector of setup code, and its version behind the header. */
static void make(uint8_t file[FILE_LEN])
{
	memset(file, 0, FILE_LEN);
	file[0x1F1] = 1;
	put_le32(file + 0x202, 0x53726448); /* "HdrS" */
	put_le16(file + 0x206, 0x20F);
	put_le16(file + 0x20E, 0x300 - 0x200);
	put_le32(file + 0x248, PAYLOAD - 1024);
	put_le32(file + 0x24C, PAYLOAD_LEN);
	(void)snprintf((char *)file + 0x300, 64, "6.1.0-9-amd64 (someone@somewhere) #1");
}

static void test_payload_and_release_are_found(void **state)
{
	uint8_t file[FILE_LEN];
	struct image_header head;
	struct verr e = VERR_INIT;

	(void)state;
	make(file);
	assert_ok(image_parse(bytes_of(file, sizeof(file)), &head, &e), &e);
	assert_ptr_equal(head.payload.at, file + PAYLOAD);
	assert_int_equal(head.payload.len, PAYLOAD_LEN);
	assert_string_equal(head.release, "6.1.0-9-amd64");
}

static void test_no_setup_sectors_mean_four(void **state)
{
	uint8_t file[FILE_LEN] = {0}, *larger = calloc(1, FILE_LEN + 3072);
	struct image_header head;
	struct verr e = VERR_INIT;

	(void)state;
	make(file);
	memcpy(larger, file, sizeof(file));
	larger[0x1F1] = 0;
	assert_ok(image_parse(bytes_of(larger, FILE_LEN + 3072), &head, &e), &e);
	assert_ptr_equal(head.payload.at, larger + 2560 + PAYLOAD - 1024);
	free(larger);
}

static void test_truncated_files_are_refused_at_every_length(void **state)
{
	uint8_t file[FILE_LEN];
	struct image_header head;

	(void)state;
	make(file);
	for (size_t len = 0; len < PAYLOAD + PAYLOAD_LEN; len++) {
		struct verr e = VERR_INIT;
		/* On the heap, so that a sanitizer sees a read past the end. */
		auto_free uint8_t *cut = malloc(len + 1);

		memcpy(cut, file, len);
		assert_fault(image_parse(bytes_of(cut, len), &head, &e), &e, VERR_INVALID,
			     len < 0x208 ? "not an x86 bzImage" : "cut short");
	}
}

static void test_wild_headers_are_refused(void **state)
{
	static const struct {
		size_t at;
		uint32_t value;
		const char *cause;
	} cases[] = {
		{0x202, 0x12345678, "no Linux boot header"},
		{0x206, 0x0207, "boot protocol 2.07"},
		{0x248, 0xFFFFFFFF, "cut short"},
		{0x248, FILE_LEN, "cut short"},
		{0x24C, 0xFFFFFFFF, "cut short"},
		{0x24C, 0, "no payload"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t file[FILE_LEN];
		struct image_header head;
		struct verr e = VERR_INIT;

		make(file);
		put_le32(file + cases[i].at, cases[i].value);
		assert_fault(image_parse(bytes_of(file, sizeof(file)), &head, &e), &e, VERR_INVALID,
			     cases[i].cause);
	}
}

static void test_release_of_a_hostile_image_is_none(void **state)
{
	static const char *const texts[] = {"", " 6.1", "../../etc", "6.1/../x", "6.1\n", "six"};
	uint8_t file[FILE_LEN];
	struct image_header head;
	struct verr e = VERR_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		make(file);
		(void)snprintf((char *)file + 0x300, 64, "%s", texts[i]);
		assert_ok(image_parse(bytes_of(file, sizeof(file)), &head, &e), &e);
		assert_string_equal(head.release, "");
	}
	make(file);
	put_le16(file + 0x20E, 0xFFFF);
	assert_ok(image_parse(bytes_of(file, sizeof(file)), &head, &e), &e);
	assert_string_equal(head.release, "");
	memset(file + 0x300, '1', FILE_LEN - 0x300);
	put_le16(file + 0x20E, 0x100);
	assert_ok(image_parse(bytes_of(file, sizeof(file)), &head, &e), &e);
	assert_string_equal(head.release, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_payload_and_release_are_found),
		cmocka_unit_test(test_no_setup_sectors_mean_four),
		cmocka_unit_test(test_truncated_files_are_refused_at_every_length),
		cmocka_unit_test(test_wild_headers_are_refused),
		cmocka_unit_test(test_release_of_a_hostile_image_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
