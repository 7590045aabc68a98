/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes against a model of what a disk is, and who may open which. */
#include "stellarium/volume/volume_test.h"

#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>

#define LEN (MIB(3) + 5UL * SECTOR)

static uint8_t model[LEN], image[LEN], bytes[LEN];

static void check_all(struct stel_volume *v)
{
	assert_int_equal(stel_volume_size(v), LEN);
	read_all(v, bytes, 0, LEN);
	assert_memory_equal(bytes, model, LEN);
}

/* In buffers of odd lengths; at once where that works. */
static void read_some(struct stel_volume *v, uint64_t offset, size_t len, uint64_t *seed)
{
	struct iovec iov[8];
	struct verr e = VERR_INIT;
	size_t at = 0;
	int n = 0;

	for (; n < 7 && at < len; n++) {
		size_t part = MIN(len - at, 1 + random_below(seed, len));

		iov[n] = (struct iovec){.iov_base = bytes + at, .iov_len = part};
		at += part;
	}
	iov[n] = (struct iovec){.iov_base = bytes + at, .iov_len = len - at};
	memset(bytes, 0xee, len);
	if (random_below(seed, 2) == 0 || !stel_volume_read_now(v, iov, 8, offset, len))
		assert_ok(stel_volume_read(v, iov, (size_t)n + 1, offset, len, &e), &e);
	assert_memory_equal(bytes, model + offset, len);
	while (stel_volume_ahead(v))
		;
}

static void change_some(struct stel_volume *v, uint64_t offset, size_t len, uint64_t *seed)
{
	if (random_below(seed, 3) == 0) {
		zero_range(v, offset, len);
		memset(model + offset, 0, len);
		return;
	}
	for (size_t i = 0; i < len; i++)
		model[offset + i] = (uint8_t)random_next(seed);
	write_all(v, model + offset, offset, len);
}

static void random_operations(struct stel *s, const struct stel_volume_options *o, uint64_t seed)
{
	struct stel_volume *v = open_volume(s, o);

	for (int i = 0; i < 400; i++) {
		uint64_t most = random_below(&seed, 4) == 0 ? 300 : 12;
		uint64_t sector = random_below(&seed, LEN / SECTOR);
		size_t len = (1 + random_below(&seed, most)) * SECTOR;
		uint64_t kind = random_below(&seed, 20);

		len = MIN(len, LEN - sector * SECTOR);
		if (kind < 9)
			read_some(v, sector * SECTOR, len, &seed);
		else if (kind < 18)
			change_some(v, sector * SECTOR, len, &seed);
		else
			flush_all(v);
		if (random_below(&seed, 60) == 0 && o->overlay != STEL_OVERLAY_DISCARD) {
			flush_all(v);
			(void)stel_volume_close(v);
			v = open_volume(s, o);
		}
	}
	check_all(v);
	flush_all(v);
	(void)stel_volume_close(v);
}

static void against_the_model(const char *folder, enum stel_method method, enum stel_codec codec)
{
	struct stel *s = make_store(folder, method, codec);
	char path[64], file[64], name[STEL_NAME_MAX + 1];
	struct stel_volume_options o;
	struct stel_volume *v;

	fill_image(image, LEN);
	(void)import_image(s, "a", image, LEN);
	(void)snprintf(path, sizeof(path), "%s/v", folder);
	(void)snprintf(file, sizeof(file), "%s/f", folder);
	(void)snprintf(name, sizeof(name), "a");

	memcpy(model, image, LEN);
	o = volume_in(path);
	random_operations(s, &o, 11);
	o.cache = 0;
	o.unsafe = true;
	random_operations(s, &o, 12);
	o.readonly = true;
	v = open_volume(s, &o);
	check_all(v);
	(void)stel_volume_close(v);

	/* Others see nothing of it. */
	memcpy(model, image, LEN);
	o = volume_in(file);
	o.overlay = STEL_OVERLAY_FILE;
	o.image = name;
	random_operations(s, &o, 13);
	memcpy(model, image, LEN);
	o.overlay = STEL_OVERLAY_DISCARD;
	random_operations(s, &o, 14);
	memcpy(model, image, LEN);
	o.overlay = STEL_OVERLAY_NONE;
	v = open_volume(s, &o);
	assert_true(stel_volume_readonly(v));
	check_all(v);
	(void)stel_volume_close(v);
	(void)stel_close(s);
}

static void test_page_zstd(void **state)
{
	against_the_model(*state, STEL_CUT_PAGE, STEL_CODEC_ZSTD);
}

static void test_page_none(void **state)
{
	against_the_model(*state, STEL_CUT_PAGE, STEL_CODEC_NONE);
}

static void test_fastcdc_lz4(void **state)
{
	against_the_model(*state, STEL_CUT_FASTCDC, STEL_CODEC_LZ4);
}

static void test_fixed_zstd(void **state)
{
	against_the_model(*state, STEL_CUT_FIXED, STEL_CODEC_ZSTD);
}

/* -- threads */

#define THREADS 4

struct writer {
	struct stel_volume *v;
	uint64_t number;
};

/* Sectors whose number modulo THREADS is ours: pages are shared, sectors are not. */
static void *write_ours(void *arg)
{
	const struct writer *w = arg;
	uint64_t seed = w->number + 1;
	uint8_t sector[SECTOR], again[SECTOR];

	for (int i = 0; i < 600; i++) {
		uint64_t at = random_below(&seed, LEN / SECTOR / THREADS) * THREADS + w->number;

		if (at * SECTOR >= LEN)
			continue;
		memset(sector, (int)(random_next(&seed) & 0xff), SECTOR);
		if (random_below(&seed, 4) == 0) {
			memset(sector, 0, SECTOR);
			zero_range(w->v, at * SECTOR, SECTOR);
		} else {
			write_all(w->v, sector, at * SECTOR, SECTOR);
		}
		read_all(w->v, again, at * SECTOR, SECTOR);
		assert_memory_equal(sector, again, SECTOR);
		memcpy(model + at * SECTOR, sector, SECTOR);
		if (i % 50 == 0)
			flush_all(w->v);
		(void)stel_volume_ahead(w->v);
	}
	return NULL;
}

static void test_threads_share_pages(void **state)
{
	const char *folder = *state;
	struct stel *s = make_store(folder, STEL_CUT_PAGE, STEL_CODEC_ZSTD);
	struct writer writers[THREADS];
	pthread_t threads[THREADS];
	struct stel_volume_options o;
	struct stel_volume *v;
	char path[64];

	fill_image(model, LEN);
	(void)import_image(s, "a", model, LEN);
	(void)snprintf(path, sizeof(path), "%s/v", folder);
	o = volume_in(path);
	o.threads = 2; /* fewer than read */
	v = open_volume(s, &o);
	for (size_t i = 0; i < THREADS; i++) {
		writers[i] = (struct writer){.v = v, .number = i};
		assert_int_equal(pthread_create(&threads[i], NULL, write_ours, &writers[i]), 0);
	}
	for (size_t i = 0; i < THREADS; i++)
		(void)pthread_join(threads[i], NULL);
	check_all(v);
	flush_all(v);
	(void)stel_volume_close(v);
	v = open_volume(s, &o);
	check_all(v);
	(void)stel_volume_close(v);
	(void)stel_close(s);
}

/* -- damage */

static void damage_pack(const char *folder)
{
	char path[300] = "";
	auto_fd fd = -1;
	uint8_t byte;

	find_pack(folder, path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	/* Two segments' heads are pages; this is in the first chunks. */
	assert_int_equal(pread(fd, &byte, 1, MIB(1)), 1);
	byte ^= 4;
	assert_int_equal(pwrite(fd, &byte, 1, MIB(1)), 1);
}

static void damaged_chunk(const char *folder, enum stel_codec codec)
{
	struct stel *s = make_store(folder, STEL_CUT_PAGE, codec);
	struct stel_volume_options o;
	struct stel_volume *v;
	char path[64];
	int bad = 0;

	fill_image(image, LEN);
	(void)import_image(s, "debian/12", image, LEN);
	(void)snprintf(path, sizeof(path), "%s/v", folder);
	o = volume_in(path);
	v = open_volume(s, &o);
	damage_pack(folder);
	for (uint64_t at = 0; at < LEN; at += SECTOR) {
		struct iovec iov = {.iov_base = bytes, .iov_len = SECTOR};
		struct verr e = VERR_INIT;

		if (stel_volume_read(v, &iov, 1, at, SECTOR, &e) == 0) {
			assert_memory_equal(bytes, image + at, SECTOR);
			continue;
		}
		bad++;
		assert_non_null(strstr(e.text, "image debian/12: the chunk "));
		assert_non_null(strstr(e.text, "it is damaged"));
		assert_false(stel_volume_read_now(v, &iov, 1, at, SECTOR));
	}
	assert_in_range(bad, 8, 2048);
	(void)stel_volume_close(v);
	(void)stel_close(s);
}

static void test_a_damaged_chunk_is_no_data(void **state)
{
	damaged_chunk(*state, STEL_CODEC_ZSTD);
}

static void test_a_damaged_plain_chunk_is_no_data(void **state)
{
	damaged_chunk(*state, STEL_CODEC_NONE);
}

/* -- who may open what */

static int open_fails(struct stel *s, const struct stel_volume_options *o, struct verr *e)
{
	struct stel_volume *v;

	*e = (struct verr)VERR_INIT;
	return stel_volume_open(s, o, &v, e);
}

static void test_who_may_open(void **state)
{
	const char *folder = *state, *none = "none";
	struct stel *s = make_store(folder, STEL_CUT_PAGE, STEL_CODEC_ZSTD);
	struct stel_volume_options o, p;
	struct stel_volume *v, *w;
	struct verr e;
	char path[64], other[64];

	fill_image(image, LEN);
	(void)snprintf(path, sizeof(path), "%s/v", folder);
	(void)snprintf(other, sizeof(other), "%s/w", folder);
	o = volume_in(path);
	assert_fault(open_fails(s, &o, &e), &e, VERR_NOT_FOUND, "no image to make a volume of");
	assert_int_equal(access(path, F_OK), -1);
	(void)import_image(s, "a", image, LEN);
	(void)import_image(s, "b", image, LEN - 4096);
	assert_fault(open_fails(s, &o, &e), &e, VERR_INVALID, "2 images, none of them called v");
	o.image = none;
	assert_fault(open_fails(s, &o, &e), &e, VERR_NOT_FOUND, "none: there is no such image");
	assert_int_equal(access(path, F_OK), -1);
	o.image = "a";
	v = open_volume(s, &o);
	assert_string_equal(stel_volume_image(v), "a");
	assert_fault(open_fails(s, &o, &e), &e, VERR_INVALID, "in use by process");
	p = o;
	p.readonly = true;
	assert_fault(open_fails(s, &p, &e), &e, VERR_INVALID, "in use by process");
	p = volume_in(other);
	p.image = "a";
	w = open_volume(s, &p); /* beside */
	(void)stel_volume_close(w);
	(void)stel_volume_close(v);
	o.image = "b";
	assert_fault(open_fails(s, &o, &e), &e, VERR_INVALID, "it is of another image than b");
	o.image = NULL;
	o.readonly = true;
	v = open_volume(s, &o);
	w = open_volume(s, &o); /* readers share */
	(void)stel_volume_close(v);
	(void)stel_volume_close(w);
	(void)stel_close(s);
}

/* -- garbage */

static void count_name(void *ctx, const struct stel_name *name)
{
	(void)name;
	++*(int *)ctx;
}

static int count_names(struct stel *s)
{
	struct verr e = VERR_INIT;
	int n = 0;

	assert_ok(stel_list(s, count_name, &n, &e), &e);
	return n;
}

static void collect(struct stel *s, struct stel_gc *out)
{
	struct verr e = VERR_INIT;

	assert_ok(stel_gc(s, NULL, out, &e), &e);
}

/* Neither what is open nor what an overlay is of. */
static void test_garbage_collection_spares_volumes(void **state)
{
	const char *folder = *state, *a = "a", *all[2] = {"a", "b"};
	struct stel *s = make_store(folder, STEL_CUT_PAGE, STEL_CODEC_NONE);
	struct stel_volume_options o, discard;
	struct stel_volume *v;
	struct verr e = VERR_INIT;
	struct stel_gc gc;
	char path[64];

	fill_image(model, LEN);
	(void)import_image(s, "a", model, LEN);
	(void)snprintf(path, sizeof(path), "%s/v", folder);
	discard = volume_in(NULL);
	discard.overlay = STEL_OVERLAY_DISCARD;
	discard.image = a;
	v = open_volume(s, &discard);
	assert_ok(stel_remove(s, &a, 1, &e), &e);
	collect(s, &gc);
	assert_int_equal(gc.packs_removed + gc.packs_rewritten, 0);
	check_all(v);
	(void)stel_volume_close(v);
	collect(s, &gc);
	assert_int_equal(gc.packs_removed, 1);

	(void)import_image(s, "a", model, LEN);
	o = volume_in(path);
	v = open_volume(s, &o);
	assert_int_equal(count_names(s), 2);
	(void)stel_volume_close(v);
	assert_ok(stel_remove(s, &a, 1, &e), &e);
	collect(s, &gc);
	v = open_volume(s, &o);
	check_all(v);
	(void)stel_volume_close(v);

	/* The user took the name that keeps it: it comes back as long as all is there. */
	(void)import_image(s, "b", model, 10000);
	(void)import_image(s, "a", model, LEN);
	assert_ok(stel_volume_remove(s, path, &e), &e);
	assert_int_equal(count_names(s), 2);
	assert_int_equal(access(path, F_OK), -1);
	assert_ok(stel_remove(s, all, 2, &e), &e);
	collect(s, &gc);
	assert_int_equal(count_names(s), 0);
	(void)stel_close(s);
}

static void drop_reference(void *ctx, const struct stel_name *name)
{
	if (strncmp(name->name, STEL_VOLUME_PREFIX, strlen(STEL_VOLUME_PREFIX)) == 0)
		(void)snprintf(ctx, STEL_NAME_MAX + 1, "%s", name->name);
}

static void test_a_reference_comes_back(void **state)
{
	const char *folder = *state, *a = "a";
	struct stel *s = make_store(folder, STEL_CUT_PAGE, STEL_CODEC_ZSTD);
	char path[64], reference[STEL_NAME_MAX + 1] = "";
	const char *name = reference;
	struct stel_volume_options o;
	struct verr e = VERR_INIT;
	struct stel_gc gc;

	fill_image(model, LEN);
	(void)import_image(s, "a", model, LEN);
	(void)snprintf(path, sizeof(path), "%s/v", folder);
	o = volume_in(path);
	(void)stel_volume_close(open_volume(s, &o));
	assert_ok(stel_list(s, drop_reference, reference, &e), &e);
	assert_ok(stel_remove(s, &name, 1, &e), &e);
	assert_int_equal(count_names(s), 1);
	(void)stel_volume_close(open_volume(s, &o));
	assert_int_equal(count_names(s), 2);
	assert_ok(stel_remove(s, &name, 1, &e), &e);
	assert_ok(stel_remove(s, &a, 1, &e), &e);
	collect(s, &gc);
	assert_fault(open_fails(s, &o, &e), &e, VERR_CORRUPT, path);
	assert_int_equal(count_names(s), 0);
	(void)stel_close(s);
}

/* -- what else is in the folder */

static struct stel_volume *open_file(struct stel *s, const char *folder, const char *name)
{
	struct stel_volume_options o;
	char path[64];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	o = volume_in(path);
	o.overlay = STEL_OVERLAY_FILE;
	o.image = "a";
	return open_volume(s, &o);
}

/* Whatever it is called: a file of the user's, an overlay that is in use. */
static void test_what_lies_beside_stays(void **state)
{
	const char *folder = *state;
	struct stel *s = make_store(folder, STEL_CUT_PAGE, STEL_CODEC_ZSTD);
	struct stel_volume *v, *beside;
	char path[64], text[8] = "";
	auto_fd fd = -1;

	fill_image(image, LEN);
	(void)import_image(s, "a", image, LEN);
	(void)snprintf(path, sizeof(path), "%s/other.new", folder);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "theirs", 6), 6);
	(void)stel_volume_close(open_file(s, folder, "other"));
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(pread(fd, text, sizeof(text), 0), 6);
	assert_string_equal(text, "theirs");

	beside = open_file(s, folder, "disk.new");
	write_all(beside, image + 4096, 0, 4096);
	flush_all(beside);
	v = open_file(s, folder, "disk");
	(void)stel_volume_close(beside);
	(void)stel_volume_close(v);
	v = open_file(s, folder, "disk.new");
	read_all(v, bytes, 0, 4096);
	assert_memory_equal(bytes, image + 4096, 4096);
	(void)stel_volume_close(v);
	(void)stel_close(s);
}

/* -- a disk that is full */

static void test_overlays_are_sparse(void **state)
{
	const char *folder = *state;
	struct stel *s = make_store(folder, STEL_CUT_PAGE, STEL_CODEC_ZSTD);
	struct stel_volume_options o;
	struct stel_volume_info info;
	struct stel_import imported;
	struct stel_volume *v;
	struct verr e = VERR_INIT;
	auto_fd fd = memfd_create("large", MFD_CLOEXEC);
	char path[64];

	assert_int_equal(ftruncate(fd, 1LL << 40), 0);
	assert_int_equal(pwrite(fd, "x", 1, 1LL << 39), 1);
	assert_ok(stel_import(s, "a", fd, NULL, false, NULL, &imported, &e), &e);
	(void)snprintf(path, sizeof(path), "%s/v", folder);
	o = volume_in(path);
	v = open_volume(s, &o);
	fill_image(image, LEN);
	write_all(v, image, (1ULL << 40) - LEN, LEN);
	zero_range(v, 1ULL << 39, 4096);
	flush_all(v);
	assert_ok(stel_volume_info(s, path, &info, &e), &e);
	assert_true(info.in_use);
	(void)stel_volume_close(v);
	assert_ok(stel_volume_info(s, path, &info, &e), &e);
	assert_false(info.in_use);
	assert_int_equal(info.size, 1ULL << 40);
	assert_in_range(info.written, LEN - 4096, LEN + 8192);
	assert_int_equal(info.zeroed, 4096);
	assert_in_range(info.on_disk, LEN, LEN + 100000);
	v = open_volume(s, &o);
	read_all(v, bytes, (1ULL << 40) - LEN, LEN);
	assert_memory_equal(bytes, image, LEN);
	read_all(v, bytes, 1ULL << 39, 4096);
	assert_int_equal(bytes[0], 0);
	(void)stel_volume_close(v);
	(void)stel_close(s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, test_folder_make, test_folder_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_page_zstd),
		TEST(test_page_none),
		TEST(test_fastcdc_lz4),
		TEST(test_fixed_zstd),
		TEST(test_threads_share_pages),
		TEST(test_a_damaged_chunk_is_no_data),
		TEST(test_a_damaged_plain_chunk_is_no_data),
		TEST(test_who_may_open),
		TEST(test_garbage_collection_spares_volumes),
		TEST(test_a_reference_comes_back),
		TEST(test_what_lies_beside_stays),
		TEST(test_overlays_are_sparse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
