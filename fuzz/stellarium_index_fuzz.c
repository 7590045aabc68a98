/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A damaged index: it is refused as that, or read, changed, and then sound. The input is what is
 * damaged of a good file, in steps of four bytes: a page, a place in it, what stands there; or,
 * behind "file", the whole file.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/own.h"
#include "stellarium/chunk/hash.h"
#include "stellarium/store/index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ASKED 64

static void must(bool holds)
{
	if (!holds)
		abort();
}

static bool is_damage(const struct verr *e)
{
	return e->kind == VERR_CORRUPT && strstr(e->text, "--repair-index") != NULL;
}

/* In memory: each change is made durable. */
static const char *folder(void)
{
	static char path[64];
	char file[96];

	if (path[0] == '\0') {
		(void)snprintf(path, sizeof(path), "/dev/shm/index_fuzz.XXXXXX");
		must(mkdtemp(path) != NULL);
	}
	(void)snprintf(file, sizeof(file), "%s/lock.mdb", path);
	(void)unlink(file);
	return path;
}

#define ROOM MIB(1)

struct file {
	uint8_t bytes[ROOM];
	size_t size;
};

static const char *data_file(void)
{
	static char file[96];

	(void)snprintf(file, sizeof(file), "%s/data.mdb", folder());
	return file;
}

static void write_file(const uint8_t *data, size_t size)
{
	auto_fd fd = open(data_file(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	must(fd >= 0 && write(fd, data, size) == (ssize_t)size);
}

static int count(void *ctx, const struct stel_id *id, const struct index_place *place,
		 struct verr *e)
{
	(void)id;
	(void)place;
	(void)e;
	++*(uint64_t *)ctx;
	return 0;
}

static struct stel_id id_of(uint32_t number)
{
	return chunk_hash(&number, sizeof(number));
}

static void read_all(struct index *x)
{
	struct index_view *v;
	struct index_place place;
	uint64_t entries = 0;
	struct verr e = VERR_INIT;

	if (index_view_open(x, &v, &e) < 0) {
		must(is_damage(&e));
		return;
	}
	for (uint32_t i = 0; i < ASKED; i++) {
		struct stel_id id = id_of(i);

		e = (struct verr)VERR_INIT;
		must(index_find(v, &id, &place, &e) != INDEX_FAULT || is_damage(&e));
		must(index_is_leaving(v, i, &e) != INDEX_FAULT || is_damage(&e));
	}
	e = (struct verr)VERR_INIT;
	must(index_walk(v, count, &entries, &e) == 0 || is_damage(&e));
	must(entries < 1000000);
	(void)index_view_close(v);
}

static bool change(struct index *x, uint32_t from)
{
	struct index_change *c;
	struct verr e = VERR_INIT;

	if (index_change_begin(x, &c, &e) < 0) {
		must(is_damage(&e));
		return false;
	}
	for (uint32_t i = from; i < from + 100; i++) {
		struct stel_id id = id_of(i);
		struct index_place place = {.pack = i, .raw = i};

		if (i % 3 == 0)
			must(index_delete(c, &id, &e) == 0);
		else
			must(index_put(c, &id, &place, &e) == 0);
	}
	must(index_set_leaving(c, from, true, &e) == 0 && index_set_leaving(c, 1, false, &e) == 0);
	must(index_change_commit(&c, &e) == 0);
	return true;
}

/* One with tables of several pages, and lists of unused ones. */
static const struct file *good_file(void)
{
	static struct file good;
	struct index *x = NULL;
	struct verr e = VERR_INIT;
	auto_fd fd = -1;
	ssize_t n;

	if (good.size > 0)
		return &good;
	(void)unlink(data_file());
	must(index_open(&x, folder(), true, &e) == 0);
	for (uint32_t i = 0; i < 8; i++)
		must(change(x, i * 40));
	(void)index_close(x);
	fd = open(data_file(), O_RDONLY | O_CLOEXEC);
	must(fd >= 0);
	n = read(fd, good.bytes, sizeof(good.bytes));
	must(n > 0 && (size_t)n < sizeof(good.bytes));
	good.size = (size_t)n;
	return &good;
}

static void write_damaged(const uint8_t *data, size_t size)
{
	static struct file file;
	size_t pages, at;

	if (size >= 4 && memcmp(data, "file", 4) == 0) {
		write_file(data + 4, size - 4);
		return;
	}
	file = *good_file();
	pages = file.size / 4096;
	for (at = 0; at + 4 <= size; at += 4)
		file.bytes[data[at] % pages * 4096 + le16(data + at + 1) % 4096] = data[at + 3];
	write_file(file.bytes, size > at ? data[at] % pages * 4096 : file.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct index *x = NULL;
	struct index_place place;
	struct index_view *v;
	struct stel_id id = id_of(1);
	struct verr e = VERR_INIT;

	write_damaged(data, size);
	if (index_open(&x, folder(), false, &e) < 0) {
		must(is_damage(&e));
		return 0;
	}
	read_all(x);
	/* Several: what one gives back the next but one uses again. */
	if (change(x, 0)) {
		for (uint32_t i = 1; i < 5; i++)
			must(change(x, i * 50));
		(void)index_close(x);
		must(index_open(&x, folder(), false, &e) == 0 && change(x, 0));
		must(index_view_open(x, &v, &e) == 0);
		must(index_find(v, &id, &place, &e) == INDEX_FOUND && place.pack == 1);
		(void)index_view_close(v);
	}
	(void)index_close(x);
	return 0;
}
