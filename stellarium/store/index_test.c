/* SPDX-License-Identifier: Apache-2.0 */
#include "stellarium/store/index.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "base/test.h"
#include "base/test_files.h"
#include "stellarium/chunk/hash.h"

#define IDS 20000

struct model {
	struct index *index;
	char folder[64];
	uint32_t places[IDS]; /* 0: not there */
	bool leaving[64];
	uint32_t count;
	uint64_t seed;
};

static uint32_t pick(struct model *m, uint32_t below)
{
	m->seed = m->seed * 6364136223846793005 + 1442695040888963407;
	return (uint32_t)((m->seed >> 33) % below);
}

static struct stel_id id_of(uint32_t number)
{
	return chunk_hash(&number, sizeof(number));
}

static void open_index(struct model *m, bool make)
{
	struct verr e = VERR_INIT;

	assert_ok(index_open(&m->index, m->folder, make, &e), &e);
}

static int make_model(void **state)
{
	static struct model m;

	memset(&m, 0, sizeof(m));
	m.seed = 1;
	(void)snprintf(m.folder, sizeof(m.folder), "/tmp/index_test.XXXXXX");
	assert_non_null(mkdtemp(m.folder));
	open_index(&m, true);
	*state = &m;
	return 0;
}

static int free_model(void **state)
{
	static const char *const files[] = {"data.mdb", "lock.mdb"};
	struct model *m = *state;
	char path[128];

	m->index = index_close(m->index);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", m->folder, files[i]);
		(void)unlink(path);
	}
	return rmdir(m->folder);
}

static void put(struct model *m, struct index_change *c, uint32_t number)
{
	struct stel_id id = id_of(number);
	struct index_place place = {.pack = pick(m, 1000) + 1U, .offset = number, .stored = 1};
	struct verr e = VERR_INIT;

	m->count += m->places[number] == 0;
	m->places[number] = (uint32_t)place.pack;
	assert_ok(index_put(c, &id, &place, &e), &e);
}

static void drop(struct model *m, struct index_change *c, uint32_t number)
{
	struct stel_id id = id_of(number);
	struct verr e = VERR_INIT;

	m->count -= m->places[number] != 0;
	m->places[number] = 0;
	assert_ok(index_delete(c, &id, &e), &e);
}

static void change(struct model *m)
{
	uint32_t puts = pick(m, 4) == 0 ? pick(m, 4000) : pick(m, 20);
	uint32_t drops = pick(m, 6) == 0 ? pick(m, 9000) : pick(m, 20), pack = pick(m, 64);
	struct index_change *c;
	struct verr e = VERR_INIT;

	assert_ok(index_change_begin(m->index, &c, &e), &e);
	for (uint32_t i = 0; i < puts; i++)
		put(m, c, pick(m, IDS));
	for (uint32_t i = 0; i < drops; i++)
		drop(m, c, pick(m, IDS));
	if (pick(m, 20) == 0) {
		memset(m->leaving, 0, sizeof(m->leaving));
		assert_ok(index_clear_leaving(c, &e), &e);
	}
	m->leaving[pack] = !m->leaving[pack];
	assert_ok(index_set_leaving(c, pack + 1, m->leaving[pack], &e), &e);
	assert_ok(index_change_commit(&c, &e), &e);
}

struct seen {
	struct model *m;
	uint32_t count;
	struct stel_id last;
};

static int see(void *ctx, const struct stel_id *id, const struct index_place *place, struct verr *e)
{
	struct seen *s = ctx;
	struct stel_id right = id_of((uint32_t)place->offset);

	(void)e;
	assert_memory_equal(id, &right, sizeof(right));
	assert_int_equal(place->pack, s->m->places[place->offset]);
	assert_true(s->count == 0 || memcmp(&s->last, id, sizeof(*id)) < 0);
	s->last = *id;
	s->count++;
	return 0;
}

static void compare(struct model *m, struct index_view *v)
{
	struct seen seen = {.m = m};
	struct verr e = VERR_INIT;

	for (uint32_t i = 0; i < 500; i++) {
		uint32_t number = pick(m, IDS), pack = pick(m, 64);
		struct stel_id id = id_of(number);
		struct index_place place;

		assert_int_equal(index_find(v, &id, &place, &e),
				 m->places[number] != 0 ? INDEX_FOUND : INDEX_ABSENT);
		if (m->places[number] != 0)
			assert_int_equal(place.pack, m->places[number]);
		assert_int_equal(index_is_leaving(v, pack + 1, &e),
				 m->leaving[pack] ? INDEX_FOUND : INDEX_ABSENT);
	}
	assert_ok(index_walk(v, see, &seen, &e), &e);
	assert_int_equal(seen.count, m->count);
}

/* What LMDB makes of many changes, with somebody reading meanwhile or not, is read as it is, and
 * never taken for damage: index_change_begin() looks at all of it after each opening. */
static void test_many_changes(void **state)
{
	struct model *m = *state;
	struct verr e = VERR_INIT;

	for (int round = 0; round < 150; round++) {
		struct index_view *old, *now;

		if (round % 2 == 0) {
			m->index = index_close(m->index);
			open_index(m, false);
		}
		assert_ok(index_view_open(m->index, &old, &e), &e);
		for (uint32_t i = pick(m, 4); i > 0; i--)
			change(m);
		assert_ok(index_view_open(m->index, &now, &e), &e);
		compare(m, now);
		(void)index_view_close(now);
		assert_ok(index_view_renew(old, &e), &e);
		compare(m, old);
		(void)index_view_close(old);
	}
}

static void test_a_view_does_not_change(void **state)
{
	struct model *m = *state;
	struct model before;
	struct index_view *v;
	struct verr e = VERR_INIT;

	change(m);
	before = *m;
	assert_ok(index_view_open(m->index, &v, &e), &e);
	for (int i = 0; i < 30; i++)
		change(m);
	compare(&before, v);
	(void)index_view_close(v);
}

static void test_what_is_missing_is_damage_and_is_not_made(void **state)
{
	struct model *m = *state;
	struct index *again;
	struct verr e = VERR_INIT;
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/data.mdb", m->folder);
	m->index = index_close(m->index);
	assert_fault(index_open(&again, m->folder, true, &e), &e, VERR_STATE, "there already");
	assert_int_equal(unlink(path), 0);
	e = (struct verr)VERR_INIT;
	assert_fault(index_open(&again, m->folder, false, &e), &e, VERR_CORRUPT, "it is missing");
	assert_int_equal(access(path, F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_many_changes, make_model, free_model),
		cmocka_unit_test_setup_teardown(test_a_view_does_not_change, make_model,
						free_model),
		cmocka_unit_test_setup_teardown(test_what_is_missing_is_damage_and_is_not_made,
						make_model, free_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
