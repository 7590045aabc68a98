/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/own.h"
#include "base/test.h"
#include "vmm/state/file.h"
#include "vmm/state/state_priv.h"
#include "vmm/state/wire.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_put_is_got),
		cmocka_unit_test(test_no_bit_flips_unnoticed),
		cmocka_unit_test(test_no_cut_is_unnoticed),
		cmocka_unit_test(test_more_behind_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
