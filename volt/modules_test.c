/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/modules.h"

#include "volt/volt_test.h"

static char *copy(const char *text)
{
	char *out = text != NULL ? strdup(text) : NULL;

	assert_true((out != NULL) == (text != NULL));
	return out;
}

static struct modules_texts texts(const char *dep, const char *builtin, const char *softdep,
				  const char *alias)
{
	return (struct modules_texts){copy(dep), copy(builtin), copy(softdep), copy(alias)};
}

static enum modules_found want(struct modules *m, const char *name)
{
	enum modules_found found = MODULES_NONE;
	struct verr e = VERR_INIT;

	assert_ok(modules_want(m, name, &found, &e), &e);
	return found;
}

/* The names in the order, separated by blanks. */
static void assert_order(const struct modules *m, const char *wanted)
{
	char text[1024] = "", name[MODULE_NAME_MAX];

	for (size_t i = 0; i < m->order_count; i++) {
		modules_name(m->order[i], name);
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
			       i > 0 ? " " : "", name);
	}
	assert_string_equal(text, wanted);
}

static const char dep[] = "kernel/a/net.ko.xz: kernel/a/net-failover.ko.xz kernel/a/failover.ko.xz "
			  "kernel/v/virtio.ko.xz kernel/v/ring.ko.xz\n"
			  "kernel/a/net-failover.ko.xz: kernel/a/failover.ko.xz\n"
			  "kernel/a/failover.ko.xz:\n"
			  "kernel/v/virtio.ko.xz: kernel/v/ring.ko.xz\n"
			  "kernel/v/ring.ko.xz:\n"
			  "kernel/v/blk.ko.xz: kernel/v/ring.ko.xz kernel/v/virtio.ko.xz\n";

static void test_each_comes_after_what_it_needs(void **state)
{
	struct modules m;
	struct verr e = VERR_INIT;

	(void)state;
	assert_ok(modules_parse(&m, texts(dep, "kernel/fs/ext4.ko\n", NULL, NULL), &e), &e);
	assert_int_equal(want(&m, "blk"), MODULES_ORDERED);
	assert_order(&m, "ring virtio blk");
	assert_int_equal(want(&m, "net"), MODULES_ORDERED);
	assert_order(&m, "ring virtio blk failover net_failover net");
	assert_int_equal(want(&m, "net"), MODULES_ORDERED);
	assert_int_equal(want(&m, "ext4"), MODULES_BUILTIN);
	assert_int_equal(want(&m, "ext3"), MODULES_NONE);
	assert_int_equal(want(&m, ""), MODULES_NONE);
	assert_int_equal(m.order_count, 6);
	assert_string_equal(modules_path(m.order[0]), "kernel/v/ring.ko.xz");
	modules_deinit(&m);
}

static void test_dashes_are_underscores(void **state)
{
	struct modules m;
	struct verr e = VERR_INIT;

	(void)state;
	assert_ok(modules_parse(&m, texts("k/virtio-rng.ko:\n", NULL, NULL, NULL), &e), &e);
	assert_int_equal(want(&m, "virtio_rng"), MODULES_ORDERED);
	assert_order(&m, "virtio_rng");
	modules_deinit(&m);
}

static void test_soft_dependencies_by_alias(void **state)
{
	struct modules m;
	struct verr e = VERR_INIT;

	(void)state;
	assert_ok(
		modules_parse(&m,
			      texts("k/ext4.ko: k/jbd2.ko\nk/jbd2.ko:\nk/crc-intel.ko: k/simd.ko\n"
				    "k/simd.ko:\nk/later.ko:\n",
				    "k/crc_generic.ko\n",
				    "# a comment\nsoftdep jbd pre: nothing\n"
				    "softdep ext4 pre: crypto-crc missing post: later\n",
				    "alias crypto-cr jbd2\nalias crypto_crc crc_intel\n"
				    "alias crypto-crc crc_generic\nalias crypto-crc gone\n"),
			      &e),
		&e);
	assert_int_equal(want(&m, "ext4"), MODULES_ORDERED);
	assert_order(&m, "simd crc_intel jbd2 ext4 later");
	modules_deinit(&m);
}

static void test_circles_end(void **state)
{
	struct modules m;
	struct verr e = VERR_INIT;

	(void)state;
	assert_ok(modules_parse(&m,
				texts("a.ko: b.ko a.ko\nb.ko: c.ko\nc.ko: a.ko\n", NULL,
				      "softdep a pre: b post: a\n", NULL),
				&e),
		  &e);
	assert_int_equal(want(&m, "a"), MODULES_ORDERED);
	assert_order(&m, "c b a");
	modules_deinit(&m);
}

static void test_depth_is_bounded(void **state)
{
	char text[4096] = "";
	enum modules_found found;
	struct modules m;
	struct verr e = VERR_INIT;

	(void)state;
	for (int i = 0; i < 100; i++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "m%d.ko: m%d.ko\n",
			       i, i + 1);
	assert_ok(modules_parse(&m, texts(text, NULL, NULL, NULL), &e), &e);
	assert_fault(modules_want(&m, "m0", &found, &e), &e, VERR_INVALID, "too deep");
	modules_deinit(&m);
}

static void test_contradictions_are_refused(void **state)
{
	enum modules_found found;
	struct modules m;
	struct verr missing = VERR_INIT, no_colon = VERR_INIT;

	(void)state;
	assert_ok(modules_parse(&m, texts("a.ko: b.ko\n", NULL, NULL, NULL), &missing), &missing);
	assert_fault(modules_want(&m, "a", &found, &missing), &missing, VERR_INVALID,
		     "a.ko needs b.ko, which is not there");
	modules_deinit(&m);
	assert_fault(modules_parse(&m, texts("\n#\na.ko:\nb.ko\n", NULL, NULL, NULL), &no_colon),
		     &no_colon, VERR_INVALID, "line 4: expected PATH");
	modules_deinit(&m);
}

/* What is not a module's file has no name by which it could be wanted, or leave the folder. */
static void test_names_are_plain(void **state)
{
	static const char *const names[] = {"", ".", "..", "readme", "../."};
	char name[MODULE_NAME_MAX * 4];
	struct modules m;
	struct verr e = VERR_INIT;

	(void)state;
	memset(name, 'x', sizeof(name));
	memcpy(name + sizeof(name) - 5, ".ko\n", 5);
	assert_ok(modules_parse(
			  &m, texts("../..ko:\n..ko:\nreadme:\n.ko:\nx/:\n", name, NULL, NULL), &e),
		  &e);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_int_equal(want(&m, names[i]), MODULES_NONE);
	modules_deinit(&m);
}

static void put(const char *folder, const char *name, const char *text)
{
	char path[256];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void test_files(void **state)
{
	const char *folder = *state;
	struct modules m;
	struct verr none = VERR_INIT, bad = VERR_INIT;

	assert_fault(modules_read(&m, folder, &none), &none, VERR_NOT_FOUND, "modules.dep");
	modules_deinit(&m);
	put(folder, "modules.dep", "a.ko:\n");
	assert_ok(modules_read(&m, folder, &bad), &bad);
	assert_int_equal(want(&m, "a"), MODULES_ORDERED);
	modules_deinit(&m);
	put(folder, "modules.dep", "a.ko\n");
	put(folder, "modules.builtin", "b.ko\n");
	assert_fault(modules_read(&m, folder, &bad), &bad, VERR_INVALID, folder);
	modules_deinit(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_comes_after_what_it_needs),
		cmocka_unit_test(test_dashes_are_underscores),
		cmocka_unit_test(test_soft_dependencies_by_alias),
		cmocka_unit_test(test_circles_end),
		cmocka_unit_test(test_depth_is_bounded),
		cmocka_unit_test(test_contradictions_are_refused),
		cmocka_unit_test(test_names_are_plain),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
