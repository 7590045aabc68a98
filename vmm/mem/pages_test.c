/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that is made of files, which pages of it have something, and which the host has written.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/own.h"
#include "base/test.h"
#include "vmm/mem/mem.h"

#define SIZE MIB(4)

/* A sparse file with these bytes at these pages. */
static int sparse(const char *pages, const uint64_t *at, size_t count)
{
	int fd = memfd_create("memory", MFD_CLOEXEC);
	char page[MEM_PAGE];

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, SIZE), 0);
	for (size_t i = 0; i < count; i++) {
		memset(page, pages[i], sizeof(page));
		assert_int_equal(pwrite(fd, page, sizeof(page), (off_t)(at[i] * MEM_PAGE)),
				 sizeof(page));
	}
	return fd;
}

static struct mem *make(const struct mem_layer *layers, size_t count)
{
	struct mem_options options = {.size = SIZE,
				      .huge = MEM_HUGE_OFF,
				      .looked_at = true,
				      .layers = layers,
				      .nlayers = count};
	struct verr e = VERR_INIT;
	struct mem *m = NULL;

	assert_ok(mem_new(&options, &m, &e), &e);
	return m;
}

static char at_page(const struct mem *m, uint64_t page)
{
	const char *at = mem_at(m, page * MEM_PAGE, 1);

	assert_non_null(at);
	return *at;
}

static void test_pages_are_the_last_layers(void **state)
{
	auto_fd base = sparse("abc", (const uint64_t[]){0, 5, 1023}, 3);
	auto_fd diff = sparse("X", (const uint64_t[]){6}, 1);
	const struct mem_run runs[] = {{5 * MEM_PAGE, 2 * MEM_PAGE}};
	const struct mem_layer layers[] = {{.fd = base}, {.fd = diff, .runs = runs, .count = 1}};
	struct mem *m = make(layers, 2);
	struct verr e = VERR_INIT;

	(void)state;
	assert_int_equal(at_page(m, 0), 'a');
	assert_int_equal(at_page(m, 5), 0); /* a difference's zeros count, too */
	assert_int_equal(at_page(m, 6), 'X');
	assert_int_equal(at_page(m, 1023), 'c');
	/* What is written is nobody else's. */
	assert_ok(mem_write(m, 0, "z", 1, &e), &e);
	m = mem_free(m);
	m = make(layers, 1);
	assert_int_equal(at_page(m, 0), 'a');
	assert_int_equal(at_page(m, 5), 'b');
	(void)mem_free(m);
}

/* The pages that mem_next_data() shows, as text. */
static void pages_of(const struct mem *m, char *out, size_t size)
{
	struct mem_run run;
	size_t len = 0;

	*out = '\0';
	for (uint64_t at = 0; mem_next_data(m, at, &run); at = run.offset + run.len)
		len += (size_t)snprintf(out + len, size - len, "%llu+%llu ",
					(unsigned long long)(run.offset / MEM_PAGE),
					(unsigned long long)(run.len / MEM_PAGE));
}

static void test_only_what_may_have_data_is_shown(void **state)
{
	auto_fd base = sparse("abc", (const uint64_t[]){0, 5, 1023}, 3);
	const struct mem_layer layers[] = {{.fd = base}};
	struct verr e = VERR_INIT;
	struct mem *m = make(NULL, 0);
	char shown[256];

	(void)state;
	pages_of(m, shown, sizeof(shown));
	assert_string_equal(shown, "");
	assert_ok(mem_write(m, 7 * MEM_PAGE + 1, "z", 1, &e), &e);
	pages_of(m, shown, sizeof(shown));
	assert_string_equal(shown, "7+1 ");
	m = mem_free(m);

	m = make(layers, 1);
	assert_ok(mem_write(m, 9 * MEM_PAGE, "z", 1, &e), &e);
	pages_of(m, shown, sizeof(shown));
	assert_string_equal(shown, "0+1 5+1 9+1 1023+1 ");
	(void)mem_free(m);
}

static void refuse(const struct mem_layer *layer, enum verr_kind kind, const char *part)
{
	struct mem_options options = {.size = SIZE, .layers = layer, .nlayers = 1};
	struct verr e = VERR_INIT;
	struct mem *m = NULL;

	assert_fault(mem_new(&options, &m, &e), &e, kind, part);
}

static void test_what_is_no_layer_is_refused(void **state)
{
	auto_fd fd = sparse("", NULL, 0);
	const struct mem_run wrong[][2] = {
		{{0, MEM_PAGE}, {0, MEM_PAGE}},             /* twice */
		{{MEM_PAGE, MEM_PAGE}, {0, MEM_PAGE}},      /* not in order */
		{{0, 0}, {MEM_PAGE, MEM_PAGE}},             /* empty */
		{{0, MEM_PAGE}, {SIZE, MEM_PAGE}},          /* behind the end */
		{{0, MEM_PAGE}, {UINT64_MAX - 4095, 8192}}, /* a sum that wraps */
		{{1, MEM_PAGE}, {2 * MEM_PAGE, MEM_PAGE}},  /* half a page */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		refuse(&(struct mem_layer){.fd = fd, .runs = wrong[i], .count = 2}, VERR_CORRUPT,
		       "is not one");
	refuse(&(struct mem_layer){.fd = fd, .runs = wrong[0], .count = MEM_RUNS_MAX + 1},
	       VERR_INVALID, "volt snapshot merge");
	assert_int_equal(ftruncate(fd, SIZE - 1), 0);
	refuse(&(struct mem_layer){.fd = fd}, VERR_CORRUPT, "bytes and not");
}

static void test_writes_are_noted(void **state)
{
	struct mem *m = make(NULL, 0);
	struct verr e = VERR_INIT;
	uint64_t bits[SIZE / MEM_PAGE / 64] = {0};
	void *at = mem_ptr(m, 64 * MEM_PAGE + 4095, 2);

	(void)state;
	assert_int_equal(mem_words(m), ARRAY_LEN(bits));
	assert_ok(mem_write(m, 0, "z", 1, &e), &e);
	mem_collect(m, true, bits);
	assert_int_equal(bits[0], 0); /* it is off */

	assert_ok(mem_track(m, true, &e), &e);
	assert_ok(mem_write(m, MEM_PAGE, "z", 1, &e), &e);
	assert_ok(mem_zero(m, 3 * MEM_PAGE, 2 * MEM_PAGE, &e), &e);
	mem_wrote(m, at, 2);
	mem_wrote(m, at, 0);
	mem_handed(m, mem_ptr(m, 10 * MEM_PAGE, 1), 1);
	mem_collect(m, false, bits);
	assert_int_equal(bits[0], 1 << 1 | 3 << 3);
	assert_int_equal(bits[1], 3);
	/* What was handed out comes when devices stand still, and then no more. */
	memset(bits, 0, sizeof(bits));
	mem_collect(m, true, bits);
	assert_int_equal(bits[0], 1 << 10);
	mem_note(m, bits);
	memset(bits, 0, sizeof(bits));
	mem_collect(m, false, bits);
	assert_int_equal(bits[0], 1 << 10);
	assert_ok(mem_track(m, false, &e), &e);
	assert_false(mem_tracks(m));
	(void)mem_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pages_are_the_last_layers),
		cmocka_unit_test(test_only_what_may_have_data_is_shown),
		cmocka_unit_test(test_what_is_no_layer_is_refused),
		cmocka_unit_test(test_writes_are_noted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
