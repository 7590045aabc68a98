/* SPDX-License-Identifier: Apache-2.0 */
#include "stellarium/store/lease.h"

#include <fcntl.h>

#include "base/test_files.h"
#include "stellarium/chunk/hash.h"

static const struct seal_store ours = {.bytes = {1}};

static int open_folder(void **state)
{
	int fd = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void test_pins_last_as_long_as_their_lease(void **state)
{
	auto_fd folder = open_folder(state);
	struct stel_id image = chunk_hash("x", 1);
	struct lease_pins pins;
	struct lease a, b;
	struct verr e = VERR_INIT;

	assert_ok(lease_take(&a, folder, &ours, &e), &e);
	assert_ok(lease_take(&b, folder, &ours, &e), &e);
	for (uint64_t i = 40; i > 0; i--)
		assert_ok(lease_pin_pack(&a, i, &e), &e);
	assert_ok(lease_pin_pack(&b, 77, &e), &e);
	assert_ok(lease_pin_image(&b, &image, &e), &e);
	assert_true(lease_has_pack(&a, 1) && lease_has_pack(&a, 40) && !lease_has_pack(&a, 77));

	assert_ok(lease_pins_read(&pins, folder, &ours, &e), &e);
	assert_int_equal(pins.packs_count, 41);
	assert_true(lease_pins_have_pack(&pins, 33) && lease_pins_have_pack(&pins, 77));
	assert_int_equal(pins.images_count, 1);
	assert_true(chunk_same(&pins.images[0], &image));
	lease_pins_deinit(&pins);

	lease_drop(&b);
	assert_ok(lease_pins_read(&pins, folder, &ours, &e), &e);
	assert_int_equal(pins.packs_count, 40);
	assert_int_equal(pins.images_count, 0);
	lease_pins_deinit(&pins);

	lease_forget_pack(&a, 20);
	assert_false(lease_has_pack(&a, 20));
	assert_true(lease_has_pack(&a, 19) && lease_has_pack(&a, 21));
	lease_drop(&a);
}

/* A file that nobody has locked is a dead process's. */
static void test_the_leases_of_the_dead_are_removed(void **state)
{
	auto_fd folder = open_folder(state);
	struct lease_pins pins;
	struct lease a;
	struct verr e = VERR_INIT;

	assert_ok(lease_take(&a, folder, &ours, &e), &e);
	assert_ok(lease_pin_pack(&a, 5, &e), &e);
	fd_close(&a.fd); /* as its end would */
	assert_ok(lease_pins_read(&pins, folder, &ours, &e), &e);
	assert_int_equal(pins.packs_count, 0);
	assert_int_equal(faccessat(folder, a.name, F_OK, 0), -1);
	lease_pins_deinit(&pins);
	lease_drop(&a);
}

static size_t count_there(int folder, const struct lease *leases, size_t count)
{
	size_t there = 0;

	for (size_t i = 0; i < count; i++)
		there += faccessat(folder, leases[i].name, F_OK, 0) == 0;
	return there;
}

/* Little by little, and none of the living. */
static void test_the_dead_are_tidied_away(void **state)
{
	auto_fd folder = open_folder(state);
	struct lease leases[30];
	struct verr e = VERR_INIT;
	size_t left;

	for (size_t i = 0; i < ARRAY_LEN(leases); i++)
		assert_ok(lease_take(&leases[i], folder, &ours, &e), &e);
	lease_tidy(folder);
	assert_int_equal(count_there(folder, leases, 30), 30);
	for (size_t i = 10; i < ARRAY_LEN(leases); i++)
		fd_close(&leases[i].fd);
	lease_tidy(folder);
	left = count_there(folder, leases + 10, 20);
	assert_in_range(left, 16, 20);
	for (int i = 0; i < 10000 && left > 0; i++) {
		lease_tidy(folder);
		left = count_there(folder, leases + 10, 20);
	}
	assert_int_equal(left, 0);
	assert_int_equal(count_there(folder, leases, 10), 10);
	for (size_t i = 0; i < ARRAY_LEN(leases); i++)
		lease_drop(&leases[i]);
}

static void test_a_damaged_lease_stops_who_reads_it(void **state)
{
	auto_fd folder = open_folder(state);
	struct lease_pins pins;
	struct lease a;
	struct verr e = VERR_INIT;

	assert_ok(lease_take(&a, folder, &ours, &e), &e);
	assert_ok(lease_pin_pack(&a, 5, &e), &e);
	assert_int_equal(pwrite(a.fd, "x", 1, 70), 1);
	assert_fault(lease_pins_read(&pins, folder, &ours, &e), &e, VERR_CORRUPT, "is damaged");
	lease_pins_deinit(&pins);
	lease_drop(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_pins_last_as_long_as_their_lease,
						test_folder_make, test_folder_remove),
		cmocka_unit_test_setup_teardown(test_the_leases_of_the_dead_are_removed,
						test_folder_make, test_folder_remove),
		cmocka_unit_test_setup_teardown(test_the_dead_are_tidied_away, test_folder_make,
						test_folder_remove),
		cmocka_unit_test_setup_teardown(test_a_damaged_lease_stops_who_reads_it,
						test_folder_make, test_folder_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
