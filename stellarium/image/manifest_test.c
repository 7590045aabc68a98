/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "base/test_files.h"
#include "stellarium/chunk/hash.h"
#include "stellarium/image/manifest.h"
#include "stellarium/store/writer.h"

struct fixture {
	struct stel *s;
	struct writer writer;
	size_t nodes_new;
};

static void open_store(struct fixture *f, const char *path)
{
	const struct stel_options o = {.cut = stel_cutting_usual(STEL_CUT_PAGE),
				       .codec = STEL_CODEC_LZ4};
	struct verr e = VERR_INIT;

	assert_ok(stel_create(path, &o, &e), &e);
	assert_ok(stel_open(&f->s, path, &e), &e);
}

static int emit(void *ctx, const struct stel_id *id, struct bytes node, struct verr *e)
{
	struct fixture *f = ctx;
	uint64_t stored = 0;
	int r = writer_add_node(&f->writer, id, node, &stored, e);

	f->nodes_new += stored > 0;
	return r;
}

/* A tree of `count` chunks, none of which is there; the one at `changed` is another. */
static struct stel_id build(struct fixture *f, size_t count, size_t changed)
{
	struct stel_cutting cut = stel_cutting_usual(STEL_CUT_PAGE);
	struct manifest_builder b;
	struct verr e = VERR_INIT;
	struct stel_id id;

	assert_ok(writer_open(&f->writer, f->s, false, &e), &e);
	manifest_builder_init(&b, &cut, emit, f);
	f->nodes_new = 0;
	for (size_t i = 0; i < count; i++) {
		size_t seed = i == changed ? SIZE_MAX : i;

		id = chunk_hash(&seed, sizeof(seed));
		if (i % 10 == 3) {
			assert_ok(manifest_add_zero(&b, 4096, &e), &e);
			assert_ok(manifest_add_zero(&b, 4096, &e), &e);
		}
		assert_ok(manifest_add_chunk(&b, &id, 8192, &e), &e);
	}
	assert_ok(manifest_finish(&b, &id, &e), &e);
	manifest_builder_deinit(&b);
	assert_ok(writer_commit(&f->writer, &e), &e);
	writer_close(&f->writer);
	return id;
}

static void check(struct fixture *f, const struct stel_id *id, size_t count)
{
	struct index_view *view;
	struct manifest m;
	struct verr e = VERR_INIT;
	uint64_t at = 0;

	assert_ok(index_view_open(f->s->index, &view, &e), &e);
	assert_ok(manifest_load(&m, f->s, view, id, &e), &e);
	assert_int_equal(m.count, count);
	for (size_t i = 0; i < count; i++) {
		struct stel_id wanted = chunk_hash(&i, sizeof(i));

		at += i % 10 == 3 ? 8192 : 0;
		assert_int_equal(m.pieces[i].offset, at);
		assert_int_equal(m.pieces[i].len, 8192);
		assert_true(chunk_same(&m.pieces[i].id, &wanted));
		at += 8192;
	}
	assert_int_equal(m.root.size, at);
	assert_int_equal(m.root.chunks, count);
	manifest_deinit(&m);
	(void)index_view_close(view);
}

static void test_what_is_built_is_what_is_read(void **state)
{
	static const size_t counts[] = {0, 1, 2, 255, 256, 1023, 1024, 1025, 5000, 300000};
	char path[64];
	struct fixture f;

	(void)snprintf(path, sizeof(path), "%s/s", (char *)*state);
	open_store(&f, path);
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		struct stel_id id = build(&f, counts[i], SIZE_MAX), again;

		check(&f, &id, counts[i]);
		again = build(&f, counts[i], SIZE_MAX);
		assert_true(chunk_same(&id, &again));
		assert_int_equal(f.nodes_new, 0);
	}
	(void)stel_close(f.s);
}

static void test_a_change_costs_its_way_to_the_root(void **state)
{
	char path[64];
	struct fixture f;

	(void)snprintf(path, sizeof(path), "%s/s", (char *)*state);
	open_store(&f, path);
	(void)build(&f, 100000, SIZE_MAX);
	assert_true(f.nodes_new > 100);
	(void)build(&f, 100000, 50000);
	assert_in_range(f.nodes_new, 3, 8);
	(void)stel_close(f.s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_is_built_is_what_is_read,
						test_folder_make, test_folder_remove),
		cmocka_unit_test_setup_teardown(test_a_change_costs_its_way_to_the_root,
						test_folder_make, test_folder_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
