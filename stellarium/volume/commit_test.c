/* SPDX-License-Identifier: Apache-2.0 */
/* What is committed is what an import of the same content gives. */
#include "stellarium/volume/volume_test.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include "stellarium/volume/overlay.h"

#define LEN (MIB(6) + 700)

static uint8_t model[LEN];

/* How much of an overlay's map was looked at: the linker puts this between it and who asks. */
static uint64_t words_looked_at;

uint64_t __real_overlay_run(const struct overlay *o, uint64_t page, uint64_t most,
			    enum overlay_state *state);
uint64_t __wrap_overlay_run(const struct overlay *o, uint64_t page, uint64_t most,
			    enum overlay_state *state);

uint64_t __wrap_overlay_run(const struct overlay *o, uint64_t page, uint64_t most,
			    enum overlay_state *state)
{
	uint64_t n = __real_overlay_run(o, page, most, state);

	words_looked_at += 1 + n / 32;
	return n;
}

static struct stel_import commit(struct stel *s, const char *path, const char *name)
{
	struct stel_import out;
	struct verr e = VERR_INIT;

	assert_ok(stel_commit(s, path, name, false, NULL, &out, &e), &e);
	return out;
}

/* Sometimes pieces of the image itself, at another place: they are there already. */
static void change(struct stel_volume *v, uint64_t *seed)
{
	uint64_t sectors = LEN / SECTOR, at, len;

	at = random_below(seed, sectors);
	len = 1 + random_below(seed, random_below(seed, 5) == 0 ? 3000 : 20);
	if (random_below(seed, 3) == 0)
		at = at / 8 * 8;
	at *= SECTOR;
	len = MIN(len * SECTOR, sectors * SECTOR - at);
	switch (random_below(seed, 4)) {
	case 0:
		memset(model + at, 0, len);
		zero_range(v, at, len);
		return;
	case 1:
		memset(model + at, 0, len);
		break;
	case 2:
		memmove(model + at, model + random_below(seed, LEN - len), len);
		break;
	default:
		for (uint64_t i = 0; i < len; i++)
			model[at + i] = (uint8_t)random_next(seed);
	}
	write_all(v, model + at, at, len);
}

static void same_as_an_import(const char *folder, enum stel_method method, enum stel_codec codec)
{
	struct stel *s = make_store(folder, method, codec);
	struct stel_import made, imported;
	char path[64], name[16];
	uint64_t seed = 5 + (uint64_t)method;
	struct stel_volume_options o;

	fill_image(model, LEN);
	(void)import_image(s, "a", model, LEN);
	(void)snprintf(path, sizeof(path), "%s/v", folder);
	o = volume_in(path);
	for (int round = 0; round < 12; round++) {
		struct stel_volume *v = open_volume(s, &o);
		int changes = (int)random_below(&seed, 6);

		for (int i = 0; i < changes; i++)
			change(v, &seed);
		flush_all(v);
		(void)stel_volume_close(v);
		(void)snprintf(name, sizeof(name), "c%d", round);
		made = commit(s, path, name);
		(void)snprintf(name, sizeof(name), "i%d", round);
		imported = import_image(s, name, model, LEN);
		assert_memory_equal(&made.id, &imported.id, sizeof(made.id));
		assert_int_equal(made.zero, imported.zero);
		assert_int_equal(imported.chunks_new, 0);
	}
	(void)stel_close(s);
}

static void test_page(void **state)
{
	same_as_an_import(*state, STEL_CUT_PAGE, STEL_CODEC_ZSTD);
}

static void test_fastcdc(void **state)
{
	same_as_an_import(*state, STEL_CUT_FASTCDC, STEL_CODEC_LZ4);
}

static void test_fixed(void **state)
{
	same_as_an_import(*state, STEL_CUT_FIXED, STEL_CODEC_NONE);
}

/* A page of a terabyte costs a page, and nothing that was not written is read. */
static void test_only_what_changed(void **state)
{
	const char *folder = *state;
	struct stel *s = make_store(folder, STEL_CUT_PAGE, STEL_CODEC_NONE);
	auto_fd fd = memfd_create("large", MFD_CLOEXEC);
	struct stel_volume_options o;
	struct stel_import out;
	struct stel_volume *v;
	struct verr e = VERR_INIT;
	char path[64];

	fill_image(model, LEN);
	assert_int_equal(pwrite(fd, model, LEN, 0), LEN);
	assert_int_equal(ftruncate(fd, 1LL << 40), 0);
	assert_ok(stel_import(s, "a", fd, NULL, false, NULL, &out, &e), &e);
	(void)snprintf(path, sizeof(path), "%s/v", folder);
	o = volume_in(path);
	v = open_volume(s, &o);
	memset(model, 'x', 4096);
	write_all(v, model, 1ULL << 39, 4096);
	zero_range(v, 1ULL << 35, 1ULL << 38);
	flush_all(v);
	(void)stel_volume_close(v);
	out = commit(s, path, "b");
	assert_int_equal(out.chunks_new, 1);
	assert_int_equal(out.raw_new, 4096);
	assert_int_equal(out.size, 1ULL << 40);
	assert_int_equal(pwrite(fd, model, 4096, 1LL << 39), 4096);
	assert_ok(stel_import(s, "c", fd, NULL, false, NULL, &out, &e), &e);
	assert_int_equal(out.stored_new, 0);
	(void)stel_close(s);
}

/* Every page written; or every other sixth of them, which leaves runs of each kind. */
static uint64_t words_for(const char *folder, struct stel *s, const char *name, bool all)
{
	struct stel_volume_options o;
	struct stel_volume *v;
	char path[64];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	o = volume_in(path);
	o.image = "a";
	v = open_volume(s, &o);
	for (uint64_t i = 0; i < 6; i += all ? 1 : 2)
		write_all(v, model + i * MIB(1), (5 - i) * MIB(1), MIB(1));
	if (!all)
		zero_range(v, MIB(2), MIB(1));
	flush_all(v);
	(void)stel_volume_close(v);
	words_looked_at = 0;
	(void)commit(s, path, name);
	return words_looked_at;
}

/* However long the runs are that were written: a disk that was filled is committed, too. */
static void test_linear(void **state)
{
	const enum stel_method methods[] = {STEL_CUT_PAGE, STEL_CUT_FASTCDC, STEL_CUT_FIXED};
	const char *folder = *state;

	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		struct stel *s;
		char path[48];

		(void)snprintf(path, sizeof(path), "%s/%zu", folder, i);
		assert_int_equal(mkdir(path, 0700), 0);
		s = make_store(path, methods[i], STEL_CODEC_NONE);
		fill_image(model, LEN);
		(void)import_image(s, "a", model, LEN);
		assert_in_range(words_for(path, s, "all", true), 1, 3 * LEN / 4096);
		assert_in_range(words_for(path, s, "some", false), 1, 3 * LEN / 4096);
		(void)stel_close(s);
	}
}

static void test_mistakes(void **state)
{
	const char *folder = *state;
	struct stel *s = make_store(folder, STEL_CUT_PAGE, STEL_CODEC_ZSTD);
	struct stel_volume_options o;
	struct stel_import out;
	struct stel_volume *v;
	struct verr e = VERR_INIT;
	char path[64];

	fill_image(model, LEN);
	(void)import_image(s, "a", model, LEN);
	(void)snprintf(path, sizeof(path), "%s/v", folder);
	o = volume_in(path);
	v = open_volume(s, &o);
	assert_fault(stel_commit(s, path, "b", false, NULL, &out, &e), &e, VERR_INVALID, "in use");
	(void)stel_volume_close(v);
	e = (struct verr)VERR_INIT;
	assert_fault(stel_commit(s, path, "a", false, NULL, &out, &e), &e, VERR_STATE,
		     "a: there is such an image already");
	e = (struct verr)VERR_INIT;
	assert_fault(stel_commit(s, folder, "b", false, NULL, &out, &e), &e, VERR_INVALID,
		     "there is no volume");
	assert_int_equal(commit(s, path, "b").stored_new, 0);
	(void)stel_close(s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, test_folder_make, test_folder_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_page),   TEST(test_fastcdc),
		TEST(test_fixed),  TEST(test_only_what_changed),
		TEST(test_linear), TEST(test_mistakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
