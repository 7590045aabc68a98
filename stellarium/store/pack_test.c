/* SPDX-License-Identifier: Apache-2.0 */
#include "stellarium/store/pack.h"

#include "base/test.h"
#include "stellarium/chunk/hash.h"

static const struct seal_store ours = {.bytes = {1, 2, 3}}, theirs = {.bytes = {4}};

static void test_head(void **state)
{
	uint8_t page[PACK_PAGE];
	struct verr e = VERR_INIT;

	(void)state;
	pack_put_head(page, &ours, 77);
	assert_ok(pack_get_head(bytes_of(page, sizeof(page)), &ours, 77, &e), &e);
	assert_fault(pack_get_head(bytes_of(page, sizeof(page)), &theirs, 77, &e), &e, VERR_CORRUPT,
		     "another store");
	e = (struct verr)VERR_INIT;
	assert_fault(pack_get_head(bytes_of(page, sizeof(page)), &ours, 78, &e), &e, VERR_CORRUPT,
		     "another pack's name");
	for (size_t i = 0; i < sizeof(page); i++) {
		e = (struct verr)VERR_INIT;
		page[i] ^= 0x10;
		assert_fault(pack_get_head(bytes_of(page, sizeof(page)), &ours, 77, &e), &e,
			     VERR_CORRUPT, "it");
		page[i] ^= 0x10;
	}
}

static struct pack_entry entry(uint32_t at, uint32_t stored)
{
	return (struct pack_entry){.id = chunk_hash(&at, sizeof(at)),
				   .checksum = 5,
				   .raw = stored + 1,
				   .stored = stored,
				   .at = at,
				   .codec = STEL_CODEC_LZ4,
				   .kind = PACK_DATA};
}

static bool parse(uint8_t *table, struct pack_segment *s, const struct pack_entry *in,
		  uint32_t count, struct pack_entry *out)
{
	for (uint32_t i = 0; i < count; i++)
		pack_put_entry(table + (size_t)i * PACK_ENTRY, &in[i]);
	*s = (struct pack_segment){.count = count,
				   .data_at = PACK_PAGE,
				   .len = (uint64_t)2 * PACK_PAGE,
				   .checksum = chunk_checksum(table, (size_t)count * PACK_ENTRY)};
	return pack_get_entries(bytes_of(table, (size_t)count * PACK_ENTRY), s, out);
}

static void test_entries(void **state)
{
	struct pack_entry in[3] = {entry(4096, 10), entry(4106, 20), entry(8000, 192)}, out[3];
	uint8_t table[3 * PACK_ENTRY], head[PACK_HEAD];
	struct pack_segment s, again;

	(void)state;
	assert_true(parse(table, &s, in, 3, out));
	for (size_t i = 0; i < 3; i++) {
		assert_true(chunk_same(&in[i].id, &out[i].id));
		assert_int_equal(in[i].at, out[i].at);
		assert_int_equal(in[i].raw, out[i].raw);
		assert_int_equal(in[i].codec, out[i].codec);
	}
	pack_put_segment(head, &s);
	assert_true(pack_get_segment(bytes_of(head, sizeof(head)), &again));
	assert_int_equal(again.len, s.len);
	for (size_t i = 0; i < sizeof(head); i++) {
		head[i] ^= 1;
		assert_false(pack_get_segment(bytes_of(head, sizeof(head)), &again));
		head[i] ^= 1;
	}
	table[70] ^= 1;
	assert_false(pack_get_entries(bytes_of(table, sizeof(table)), &s, out));
}

static void test_impossible_entries(void **state)
{
	struct pack_entry in[2], out[2];
	uint8_t table[2 * PACK_ENTRY];
	struct pack_segment s;

	(void)state;
	in[0] = entry(4096, 10);
	in[1] = entry(4105, 10); /* overlaps */
	assert_false(parse(table, &s, in, 2, out));
	in[0] = entry(8190, 10); /* ends behind the segment */
	assert_false(parse(table, &s, in, 1, out));
	in[0] = entry(64, 10); /* in the table */
	assert_false(parse(table, &s, in, 1, out));
	in[0] = entry(4096, 0);
	assert_false(parse(table, &s, in, 1, out));
	in[0] = entry(4096, 10);
	in[0].codec = STEL_CODEC_NONE; /* and yet smaller */
	assert_false(parse(table, &s, in, 1, out));
	in[0] = entry(4096, 10);
	in[0].raw = UINT32_MAX;
	assert_false(parse(table, &s, in, 1, out));
}

static void test_names(void **state)
{
	char name[PACK_NAME];
	uint64_t id;

	(void)state;
	pack_name(0x12ab, name);
	assert_string_equal(name, "00000000000012ab.pack");
	assert_true(pack_parse_name(name, &id));
	assert_int_equal(id, 0x12ab);
	assert_false(pack_parse_name("00000000000012AB.pack", &id));
	assert_false(pack_parse_name("12ab.pack", &id));
	assert_false(pack_parse_name("0000000000000000.pack", &id));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_head),
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_impossible_entries),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
