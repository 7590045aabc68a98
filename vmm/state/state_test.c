/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/own.h"
#include "base/test.h"
#include "vmm/state/file.h"
#include "vmm/state/state_priv.h"
#include "vmm/state/state_test.h"

/* A copy of its own, so that a read beyond its end is found. */
static struct bytes finish(struct state_writer *w)
{
	struct verr e = VERR_INIT;
	struct bytes file;
	uint8_t *copy;

	assert_ok(state_writer_finish(w, &file, &e), &e);
	copy = malloc(file.len);
	assert_non_null(copy);
	memcpy(copy, file.at, file.len);
	(void)state_writer_free(w);
	return bytes_of(copy, file.len);
}

static void release(struct bytes file)
{
	free((void *)(uintptr_t)file.at);
}

static struct state_writer *writer(void)
{
	struct state_writer *w = NULL;
	struct verr e = VERR_INIT;

	assert_ok(state_writer_new(&w, &e), &e);
	return w;
}

static struct i8042_state keyboard_of(void)
{
	return (struct i8042_state){
		.ctr = 0x65,
		.last_was_command = true,
		.reply = {0xfa},
		.reply_count = 1,
		.keyboard = {{.command = 0xed, .queue = {1, 2, 3}, .queue_count = 3}},
		.keyboard_count = 1};
}

/* Every shape, two sections of one kind, in no order. */
static struct bytes sample(void)
{
	struct state_writer *w = writer();
	const struct i8042_state i8042 = keyboard_of();
	const struct net_state nets[] = {{.mac = {2, 0, 0, 0, 0, 1}, .active_pairs = 1},
					 {.mac = {2, 0, 0, 0, 0, 2}, .active_pairs = 4}};
	const struct vcpu_state vcpu = {.tsc = 0x1122334455667788,
					.msr_indices = {0x10, 0x174},
					.msr_indices_count = 2,
					.msr_values = {1, UINT64_MAX},
					.msr_values_count = 2};
	const struct disk_state disk = {.id = "root", .path = "/var/lib/disk"};

	state_put(w, STATE_KIND_NET, 1, &nets[1]);
	state_put(w, STATE_KIND_I8042, 0, &i8042);
	state_put(w, STATE_KIND_NET, 0, &nets[0]);
	state_put(w, STATE_KIND_VCPU, 0, &vcpu);
	state_put(w, STATE_KIND_DISK, 0, &disk);
	state_put_bytes(w, STATE_KIND_CONFIG, 0, bytes_of("{\"cpus\": 1}", 11));
	return finish(w);
}

static void test_what_is_put_is_got(void **state)
{
	struct bytes file = sample(), config;
	struct state_reader *r = NULL;
	struct verr e = VERR_INIT;
	struct i8042_state i8042, wanted = keyboard_of();
	struct net_state net;
	struct vcpu_state vcpu;
	struct disk_state disk;

	(void)state;
	assert_ok(state_reader_new(file, &r, &e), &e);
	assert_int_equal(state_count(r, STATE_KIND_NET), 2);
	assert_int_equal(state_count(r, STATE_KIND_PIT), 0);
	assert_ok(state_get(r, STATE_KIND_I8042, 0, &i8042, &e), &e);
	assert_memory_equal(&i8042, &wanted, sizeof(wanted));
	assert_ok(state_get(r, STATE_KIND_NET, 1, &net, &e), &e);
	assert_int_equal(net.active_pairs, 4);
	assert_int_equal(net.mac[5], 2);
	assert_ok(state_get(r, STATE_KIND_VCPU, 0, &vcpu, &e), &e);
	assert_true(vcpu.tsc == 0x1122334455667788);
	assert_int_equal(vcpu.msr_indices_count, 2);
	assert_true(vcpu.msr_values[1] == UINT64_MAX);
	assert_ok(state_get(r, STATE_KIND_DISK, 0, &disk, &e), &e);
	assert_string_equal(disk.path, "/var/lib/disk");
	assert_ok(state_get_bytes(r, STATE_KIND_CONFIG, 0, &config, &e), &e);
	assert_int_equal(config.len, 11);
	assert_fault(state_get(r, STATE_KIND_NET, 2, &net, &e), &e, VERR_CORRUPT,
		     "no section net 2");
	assert_null(state_reader_free(r));
	release(file);
}

static bool opens(struct bytes file)
{
	struct state_reader *r = NULL;
	struct verr e = VERR_INIT;
	int result = state_reader_new(file, &r, &e);

	if (result < 0)
		assert_true(e.kind == VERR_CORRUPT || e.kind == VERR_INVALID);
	(void)state_reader_free(r);
	return result == 0;
}

static void test_no_bit_flips_unnoticed(void **state)
{
	struct bytes file = sample();
	uint8_t *at = (uint8_t *)(uintptr_t)file.at;

	(void)state;
	assert_true(opens(file));
	for (size_t bit = 0; bit < 8 * file.len; bit++) {
		at[bit / 8] ^= (uint8_t)(1U << bit % 8);
		if (opens(file))
			fail_msg("bit %zu of byte %zu", bit % 8, bit / 8);
		at[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	assert_true(opens(file));
	release(file);
}

static void test_no_cut_is_unnoticed(void **state)
{
	struct bytes file = sample();

	(void)state;
	for (size_t len = 0; len < file.len; len++) {
		/* Of its own length, for ASan. */
		uint8_t *cut = malloc(MAX(len, (size_t)1));

		assert_non_null(cut);
		memcpy(cut, file.at, len);
		assert_false(opens(bytes_of(cut, len)));
		free(cut);
	}
	release(file);
}

static void test_more_behind_is_noticed(void **state)
{
	struct bytes file = sample();
	uint8_t *longer = calloc(1, file.len + 64);

	(void)state;
	assert_non_null(longer);
	memcpy(longer, file.at, file.len);
	for (size_t more = 1; more <= 64; more++)
		assert_false(opens(bytes_of(longer, file.len + more)));
	free(longer);
	release(file);
}

/* --- files that are whole, and wrong --- */

/* A file of one section, POWER unless its kind is changed: head, section head, field. */
#define AT_KIND (HEAD_LEN + SECTION_KIND)
#define AT_INSTANCE (HEAD_LEN + SECTION_INSTANCE)
#define AT_FIELD (HEAD_LEN + SECTION_HEAD_LEN)
#define AT_TYPE (AT_FIELD + 2)
#define AT_ZERO (AT_FIELD + 3)
#define AT_LENGTH (AT_FIELD + 4)
#define AT_VALUE (AT_FIELD + 8)
#define SMALL_LEN (AT_VALUE + 8)

static struct bytes small(void)
{
	struct state_writer *w = writer();
	const struct power_state power = {.sleep_type = 0x14};
	struct bytes file;

	state_put(w, STATE_KIND_POWER, 0, &power);
	file = finish(w);
	assert_int_equal(file.len, SMALL_LEN);
	return file;
}

/* With a byte changed, and whole. */
static void expect(size_t at, unsigned value, enum verr_kind kind, const char *part)
{
	struct bytes file = small();
	uint8_t *bytes = (uint8_t *)(uintptr_t)file.at;
	struct state_reader *r = NULL;
	struct power_state power;
	struct verr e = VERR_INIT;
	int result;

	bytes[at] = (uint8_t)value;
	state_seal(bytes, file.len);
	result = state_reader_new(file, &r, &e);
	if (result == 0)
		result = state_get(r, STATE_KIND_POWER, 0, &power, &e);
	assert_fault(result, &e, kind, part);
	(void)state_reader_free(r);
	release(file);
}

static void test_what_is_wrong_is_named(void **state)
{
	(void)state;
	expect(HEAD_FORMAT, STATE_FORMAT + 1, VERR_INVALID, "format 2; this volt reads");
	expect(HEAD_FORMAT, 0, VERR_INVALID, "format 0");
	expect(HEAD_ARCH, 183, VERR_INVALID, "another architecture");
	expect(HEAD_SECTIONS, 2, VERR_CORRUPT, "cut off");
	expect(HEAD_SECTIONS, 0, VERR_CORRUPT, "behind the last section");
	expect(HEAD_SECTIONS + 1, 0xFF, VERR_CORRUPT, "makes no sense");
	expect(HEAD_ZERO, 1, VERR_CORRUPT, "makes no sense");
	expect(AT_KIND, 99, VERR_CORRUPT, "unknown kind, 0x63");
	expect(AT_INSTANCE, 1, VERR_CORRUPT, "out of order");
	expect(AT_FIELD, 2, VERR_CORRUPT, "sleep_type is missing");
	expect(AT_FIELD, 0, VERR_CORRUPT, "out of order");
	expect(AT_TYPE, STATE_BOOL, VERR_CORRUPT, "another type");
	expect(AT_ZERO, 1, VERR_CORRUPT, "cut off");
	expect(AT_LENGTH, 2, VERR_CORRUPT, "cut off");
	expect(AT_LENGTH, 0, VERR_CORRUPT, "not as many as there are");
	expect(AT_VALUE + 1, 1, VERR_CORRUPT, "more than it has");
}

/* What says of itself that it can be. */
static void test_what_can_be_passed_over_is(void **state)
{
	struct bytes file = small();
	uint8_t *bytes = (uint8_t *)(uintptr_t)file.at;
	struct state_reader *r = NULL;
	struct verr e = VERR_INIT;

	(void)state;
	put_le32(bytes + AT_KIND, STATE_KIND_SKIP | 99);
	state_seal(bytes, file.len);
	assert_ok(state_reader_new(file, &r, &e), &e);
	assert_int_equal(state_count(r, STATE_KIND_POWER), 0);
	assert_null(state_reader_free(r));
	release(file);
}

/* Lists as they may look in years: fields that came later, and one that need not be known. */
#define OLD_STATE(F) F(1, ONE, U8, first, 1) F(3, ONE, U16, third, 1)
#define NEW_STATE(F)                            \
	F(1, ONE, U8, first, 1)                 \
	F(STATE_LATER | 2, ONE, U32, second, 1) \
	F(3, ONE, U16, third, 1)                \
	F(STATE_LATER | STATE_SKIP | 4, ONE, U64, fourth, 1)
STATE_STRUCT(old, OLD_STATE)
STATE_STRUCT(new, NEW_STATE)

#define STATE_OF old_state
static const struct state_field old_rows[] = {OLD_STATE(STATE_FIELD)};
#undef STATE_OF
#define STATE_OF new_state
static const struct state_field new_rows[] = {NEW_STATE(STATE_FIELD)};
#undef STATE_OF

const struct state_table old_table = {.name = "old",
				      .fields = old_rows,
				      .count = ARRAY_LEN(old_rows),
				      .size = sizeof(struct old_state)};
const struct state_table new_table = {.name = "new",
				      .fields = new_rows,
				      .count = ARRAY_LEN(new_rows),
				      .size = sizeof(struct new_state)};

static void test_lists_that_grow(void **state)
{
	struct old_state old = {.first = 7, .third = 9};
	struct new_state new = {.first = 1, .second = 2, .third = 3, .fourth = 4};
	struct buffer b = {0}, c = {0};
	struct verr e = VERR_INIT;

	(void)state;
	fields_encode(&b, &old_table, &old);
	fields_encode(&c, &new_table, &new);
	assert_ok(fields_decode(bytes_of(b.at, b.len), &new_table, &new, &e), &e);
	assert_int_equal(new.first, 7);
	assert_int_equal(new.second, 0);
	assert_int_equal(new.third, 9);
	assert_int_equal(new.fourth, 0);
	/* An older reader must know the second field, and need not know the fourth. */
	assert_fault(fields_decode(bytes_of(c.at, c.len), &old_table, &old, &e), &e, VERR_CORRUPT,
		     "unknown field, 0x4002");
	buffer_deinit(&b);
	buffer_deinit(&c);
}

static void test_lists_keep_their_limits(void **state)
{
	struct state_writer *w = writer();
	struct i8042_state i8042 = keyboard_of();
	struct verr e = VERR_INIT;
	struct bytes file;

	(void)state;
	i8042.keyboard[0].queue_count = 17;
	state_put(w, STATE_KIND_I8042, 0, &i8042);
	assert_fault(state_writer_finish(w, &file, &e), &e, VERR_HOST, "does not fit");
	assert_null(state_writer_free(w));
}

/* Of each list, tags count up and no name is there twice; JSON has them all. */
static void test_tables(void **state)
{
	(void)state;
	for (uint32_t kind = 0; kind < 256; kind++) {
		const struct section_class *c = section_class_of(kind);

		for (uint32_t i = 1; c != NULL && c->table != NULL && i < c->table->count; i++) {
			const struct state_field *f = &c->table->fields[i];

			assert_true((f->tag & 0x3FFF) > (f[-1].tag & 0x3FFF));
			assert_true(f->offset > f[-1].offset);
			for (uint32_t k = 0; k < i; k++)
				assert_string_not_equal(f->name, c->table->fields[k].name);
		}
	}
}

static void test_json(void **state)
{
	struct bytes file = sample();
	struct state_reader *r = NULL;
	struct verr e = VERR_INIT;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	assert_non_null(out);
	assert_ok(state_reader_new(file, &r, &e), &e);
	assert_ok(state_print_json(r, out, &e), &e);
	(void)fclose(out);
	assert_non_null(strstr(text, "\"path\": \"/var/lib/disk\""));
	assert_non_null(strstr(text, "\"tsc\": \"0x1122334455667788\""));
	assert_non_null(strstr(text, "\"cpus\": 1"));
	assert_non_null(strstr(text, "\"mac\": \"020000000002\""));
	assert_non_null(strstr(text, "\"last_was_command\": true"));
	free(text);
	assert_null(state_reader_free(r));
	release(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_put_is_got),
		cmocka_unit_test(test_no_bit_flips_unnoticed),
		cmocka_unit_test(test_no_cut_is_unnoticed),
		cmocka_unit_test(test_more_behind_is_noticed),
		cmocka_unit_test(test_what_is_wrong_is_named),
		cmocka_unit_test(test_what_can_be_passed_over_is),
		cmocka_unit_test(test_lists_that_grow),
		cmocka_unit_test(test_lists_keep_their_limits),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
