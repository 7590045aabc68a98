/* SPDX-License-Identifier: Apache-2.0 */
/* The library as its users see it, in one process: threads and all. */
#include <fcntl.h>

#include "base/test_files.h"
#include "stellarium/include/stellarium.h"

#define LEN (MIB(20) + 777)

/* Runs that compress, runs that do not, and zeros. */
static void fill(uint8_t *out, size_t len)
{
	uint64_t seed = 11;

	for (size_t i = 0; i < len; i++) {
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		out[i] = (uint8_t)(i / 100000 % 3 == 0   ? seed >> 24
				   : i / 100000 % 3 == 1 ? i / 64
							 : 0);
	}
}

static struct stel *open_store(const char *folder)
{
	const struct stel_options o = {
		.cut = stel_cutting_usual(STEL_CUT_PAGE), .codec = STEL_CODEC_ZSTD, .level = 1};
	char path[64];
	struct stel *s = NULL;
	struct verr e = VERR_INIT;

	(void)snprintf(path, sizeof(path), "%s/s", folder);
	assert_ok(stel_create(path, &o, &e), &e);
	assert_ok(stel_open(&s, path, &e), &e);
	return s;
}

static struct stel_import import(struct stel *s, const char *name, const uint8_t *data, size_t len)
{
	auto_fd fd = test_file(data, len);
	struct stel_import out;
	struct verr e = VERR_INIT;

	assert_ok(stel_import(s, name, fd, NULL, false, NULL, &out, &e), &e);
	assert_int_equal(out.size, len);
	return out;
}

static void check_content(struct stel_image *image, const uint8_t *data, size_t len)
{
	static uint8_t part[300000];
	struct verr e = VERR_INIT;

	assert_int_equal(stel_image_size(image), len);
	for (size_t at = 0; at < len; at += 250001) {
		size_t n = MIN(sizeof(part), len - at);

		assert_ok(stel_image_read(image, part, at, n, &e), &e);
		assert_memory_equal(part, data + at, n);
	}
	assert_fault(stel_image_read(image, part, len, 1, &e), &e, VERR_INVALID, "outside");
}

static void no_damage(void *ctx, const char *image, const char *what)
{
	(void)ctx;
	fail_msg("%s: %s", image != NULL ? image : "-", what);
}

static void collect_and_verify(struct stel *s, uint64_t removed)
{
	struct stel_verify verified;
	struct stel_gc gc;
	struct verr e = VERR_INIT;

	assert_ok(stel_gc(s, NULL, &gc, &e), &e);
	assert_int_equal(gc.packs_removed, removed);
	assert_ok(stel_verify(s, no_damage, NULL, NULL, &verified, &e), &e);
}

static void test_the_life_of_an_image(void **state)
{
	static uint8_t data[LEN];
	static const char *const names[] = {"a", "b"};
	struct stel *s = open_store(*state);
	struct stel_image *image = NULL;
	struct stel_import first, second;
	struct verr e = VERR_INIT;

	fill(data, sizeof(data));
	first = import(s, "a", data, sizeof(data));
	assert_true(first.stored_new < first.raw_new && first.zero > MIB(6));
	second = import(s, "b", data, sizeof(data));
	assert_int_equal(second.chunks_new, 0);
	assert_memory_equal(&first.id, &second.id, sizeof(first.id));
	collect_and_verify(s, 0);

	assert_ok(stel_image_open(s, "b", &image, &e), &e);
	assert_ok(stel_remove(s, names, 2, &e), &e);
	collect_and_verify(s, 0); /* it is open */
	check_content(image, data, sizeof(data));
	(void)stel_image_close(image);
	collect_and_verify(s, 1);
	(void)stel_close(s);
}

struct count {
	unsigned int calls, limit;
};

static bool until(void *ctx, uint64_t done, uint64_t total)
{
	struct count *c = ctx;

	(void)done;
	(void)total;
	return ++c->calls < c->limit;
}

static void test_who_watches_can_end_it(void **state)
{
	static uint8_t data[LEN];
	struct stel *s = open_store(*state);
	struct stel_import out;

	fill(data, sizeof(data));
	for (unsigned int limit = 1; limit < 4; limit++) {
		auto_fd fd = test_file(data, sizeof(data));
		struct count c = {.limit = limit};
		const struct stel_watch watch = {.go_on = until, .ctx = &c};
		struct verr e = VERR_INIT;

		assert_fault(stel_import(s, "a", fd, NULL, false, &watch, &out, &e), &e, VERR_STATE,
			     "ended before it was done");
		collect_and_verify(s, 0); /* nothing is left of it */
	}
	(void)import(s, "a", data, sizeof(data));
	(void)stel_close(s);
}

static void add_len(void *ctx, uint64_t offset, uint64_t len)
{
	uint64_t *sums = ctx;

	sums[0] += offset;
	sums[1] += len;
}

static void test_differences_are_told_without_reading(void **state)
{
	static uint8_t data[LEN];
	struct stel *s = open_store(*state);
	struct stel_image *a = NULL, *b = NULL;
	struct stel_diff d;
	struct verr e = VERR_INIT;
	uint64_t sums[2] = {0};

	fill(data, sizeof(data));
	(void)import(s, "a", data, sizeof(data));
	data[5000000] ^= 1;
	(void)import(s, "b", data, sizeof(data) - 100);
	assert_ok(stel_image_open(s, "a", &a, &e), &e);
	assert_ok(stel_image_open(s, "b", &b, &e), &e);
	assert_ok(stel_diff(a, a, add_len, sums, &d, &e), &e);
	assert_true(d.changed == 0 && d.only_a == 0 && d.only_b == 0 && sums[1] == 0);
	assert_ok(stel_diff(a, b, add_len, sums, &d, &e), &e);
	assert_int_equal(d.changed, sums[1]);
	assert_in_range(d.changed, 100, KIB(600));
	assert_true(d.shared > MIB(10) && d.only_a > 0 && d.only_b > 0);
	(void)stel_image_close(b);
	(void)stel_image_close(a);
	(void)stel_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_life_of_an_image, test_folder_make,
						test_folder_remove),
		cmocka_unit_test_setup_teardown(test_who_watches_can_end_it, test_folder_make,
						test_folder_remove),
		cmocka_unit_test_setup_teardown(test_differences_are_told_without_reading,
						test_folder_make, test_folder_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
