/* SPDX-License-Identifier: Apache-2.0 */
#include "stellarium/store/index.h"

#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "stellarium/chunk/hash.h"
#include "stellarium/store/file.h"
#include "stellarium/store/index_pages.h"

/*
 * chunks: id[32] -> u64 pack, u64 offset, u64 checksum, u32 raw, u32 stored, u8 codec, u8 kind,
 * u16 zero, u32 XXH3 of the id and what is before it. LMDB has no checksums of its own.
 */
#define PLACE_BYTES 40
#define PLACE_CHECKED 36
#define MAP_BYTES ((uint64_t)INDEX_PAGES_MAX * INDEX_PAGE) /* address space, not memory */
#define READERS 1024
#define TRIES 100

struct index {
	MDB_env *env;
	MDB_dbi chunks, leaving;
	const uint8_t *map; /* of the file, for index_pages.h */
	int fd;             /* borrowed */
	bool sound;         /* index_pages_check() has found nothing: LMDB may change it */
};

struct index_view {
	struct index *x;
	MDB_txn *txn;
	bool changing; /* it is a change's: LMDB finds things, for not all is in the file */
	struct index_pages pages; /* else */
};

struct index_change {
	struct index_view view; /* txn is NULL once committed */
};

static int damaged(struct verr *e, const char *what)
{
	return verr_corrupt(e, "index: %s; stellarium verify --repair-index writes it anew", what);
}

static int raise(struct verr *e, int code, const char *what)
{
	if (code == MDB_MAP_FULL)
		return verr_host(e, "index: it is full, at %llu GiB",
				 (unsigned long long)(MAP_BYTES / GIB(1)));
	if (code == MDB_CORRUPTED || code == MDB_PAGE_NOTFOUND || code == MDB_INVALID ||
	    code == MDB_VERSION_MISMATCH || code == MDB_NOTFOUND || code == MDB_INCOMPATIBLE ||
	    code == MDB_BAD_VALSIZE || code == MDB_MAP_RESIZED)
		return damaged(e, mdb_strerror(code));
	if (code > 0)
		return verr_raise(e, VERR_HOST, code, __FILE__, __LINE__, "index: %s", what);
	return verr_host(e, "index: %s: %s", what, mdb_strerror(code));
}

/* The pages as of a view's moment. Their head is one of two, and somebody may be about to write it.
 */
static int take_pages(struct index_view *v, struct verr *e)
{
	uint8_t head[INDEX_PAGE];
	struct stat st;

	for (int i = 0; i < TRIES; i++) {
		uint64_t change = mdb_txn_id(v->txn);
		const uint8_t *at = v->x->map + (change & 1) * INDEX_PAGE;
		int code;

		if (fstat(v->x->fd, &st) < 0)
			return verr_os(e, "index");
		v->pages = (struct index_pages){.map = v->x->map};
		if (st.st_size >= 2L * INDEX_PAGE) {
			memcpy(head, at, sizeof(head));
			if (memcmp(head, at, sizeof(head)) == 0 &&
			    index_pages_head(&v->pages, head, (uint64_t)st.st_size) &&
			    v->pages.change == change)
				return 0;
		}
		mdb_txn_reset(v->txn);
		code = mdb_txn_renew(v->txn);
		if (code != 0)
			return raise(e, code, "read");
	}
	return damaged(e, "its first pages are damaged");
}

static int look(struct index_view *v, struct verr *e)
{
	if (take_pages(v, e) < 0)
		return -1;
	switch (index_pages_tables(&v->pages, STEL_ID_BYTES)) {
	case INDEX_PAGES_OK:
		return 0;
	case INDEX_PAGES_ABSENT:
		return damaged(e, "it lacks a table");
	case INDEX_PAGES_DAMAGED:
		break;
	}
	return damaged(e, "it is damaged");
}

/* LMDB has looked at little of it so far, and must not look at more before this. */
static int open_tables(struct index *x, struct verr *e)
{
	struct index_view v = {.x = x};
	int code, stale, r;

	(void)mdb_reader_check(x->env, &stale); /* places of processes that died */
	code = mdb_txn_begin(x->env, NULL, MDB_RDONLY, &v.txn);
	if (code != 0)
		return raise(e, code, "open");
	r = look(&v, e);
	if (r == 0)
		code = mdb_dbi_open(v.txn, "chunks", 0, &x->chunks);
	if (r == 0 && code == 0)
		code = mdb_dbi_open(v.txn, "leaving", MDB_INTEGERKEY, &x->leaving);
	if (r == 0 && code == 0)
		code = mdb_txn_commit(v.txn);
	else
		mdb_txn_abort(v.txn);
	return r < 0 || code == 0 ? r : raise(e, code, "open");
}

static int make_tables(struct index *x, struct verr *e)
{
	MDB_txn *txn;
	int code = mdb_txn_begin(x->env, NULL, 0, &txn);

	if (code != 0)
		return raise(e, code, "make");
	code = mdb_dbi_open(txn, "chunks", MDB_CREATE, &x->chunks);
	if (code == 0)
		code = mdb_dbi_open(txn, "leaving", MDB_CREATE | MDB_INTEGERKEY, &x->leaving);
	if (code == 0)
		code = mdb_txn_commit(txn);
	else
		mdb_txn_abort(txn);
	return code == 0 ? 0 : raise(e, code, "make");
}

/* What LMDB goes by when it opens the file. Somebody may be about to write it. */
static int check_heads(int fd, struct verr *e)
{
	uint8_t heads[2 * INDEX_PAGE];
	const uint8_t *head;
	struct stat st;
	size_t got;

	for (int i = 0; i < TRIES; i++) {
		struct index_pages p = {0};

		if (file_pread(fd, "index", heads, sizeof(heads), 0, &got, e) < 0)
			return -1;
		if (fstat(fd, &st) < 0)
			return verr_os(e, "index");
		head = got == sizeof(heads) ? index_pages_pick(heads) : NULL;
		if (head != NULL && index_pages_head(&p, head, (uint64_t)st.st_size))
			return 0;
	}
	return damaged(e, "its first pages are damaged");
}

/* Make an index in an empty folder, or see that there is one. */
static int check_file(const char *folder, bool make, struct verr *e)
{
	auto_free char *path = NULL;
	auto_fd fd = -1;

	if (asprintf(&path, "%s/data.mdb", folder) < 0) {
		path = NULL;
		return verr_host(e, "out of memory");
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && make)
		return 0;
	if (fd < 0 && errno == ENOENT)
		return damaged(e, "it is missing");
	if (fd < 0)
		return verr_os(e, "open %s", path);
	return make ? verr_state(e, "%s is there already", path) : check_heads(fd, e);
}

static int map_file(struct index *x, struct verr *e)
{
	void *map;
	int code = mdb_env_get_fd(x->env, &x->fd);

	if (code != 0)
		return raise(e, code, "open");
	map = mmap(NULL, MAP_BYTES, PROT_READ, MAP_SHARED, x->fd, 0);
	if (map == MAP_FAILED)
		return verr_os(e, "index");
	x->map = map;
	return 0;
}

static int open_index(struct index *x, const char *folder, bool make, struct verr *e)
{
	int code = mdb_env_create(&x->env);

	if (code == 0)
		code = mdb_env_set_mapsize(x->env, MAP_BYTES);
	if (code == 0)
		code = mdb_env_set_maxdbs(x->env, 2);
	if (code == 0)
		code = mdb_env_set_maxreaders(x->env, READERS);
	if (code != 0)
		return raise(e, code, "open");
	if (check_file(folder, make, e) < 0)
		return -1;
	code = mdb_env_open(x->env, folder, MDB_NOTLS, 0666);
	if (code != 0)
		return raise(e, code, "open");
	x->sound = make;
	if (map_file(x, e) < 0)
		return -1;
	return make ? make_tables(x, e) : open_tables(x, e);
}

int index_open(struct index **out, const char *folder, bool make, struct verr *e)
{
	struct index *x = calloc(1, sizeof(*x));

	if (x == NULL)
		return verr_host(e, "out of memory");
	if (open_index(x, folder, make, e) < 0) {
		(void)index_close(x);
		return -1;
	}
	*out = x;
	return 0;
}

struct index *index_close(struct index *x)
{
	if (x != NULL) {
		if (x->map != NULL)
			(void)munmap((void *)(uintptr_t)x->map, MAP_BYTES);
		mdb_env_close(x->env);
		free(x);
	}
	return NULL;
}

int index_size(struct index *x, uint64_t *bytes, struct verr *e)
{
	MDB_envinfo info;
	MDB_stat st;

	if (mdb_env_info(x->env, &info) != 0 || mdb_env_stat(x->env, &st) != 0)
		return verr_host(e, "index: its size");
	*bytes = ((uint64_t)info.me_last_pgno + 1) * st.ms_psize;
	return 0;
}

int index_view_open(struct index *x, struct index_view **out, struct verr *e)
{
	struct index_view *v = calloc(1, sizeof(*v));
	int code;

	if (v == NULL)
		return verr_host(e, "out of memory");
	v->x = x;
	code = mdb_txn_begin(x->env, NULL, MDB_RDONLY, &v->txn);
	if (code != 0) {
		free(v);
		return raise(e, code, "read");
	}
	if (look(v, e) < 0) {
		(void)index_view_close(v);
		return -1;
	}
	*out = v;
	return 0;
}

int index_view_renew(struct index_view *v, struct verr *e)
{
	int code;

	mdb_txn_reset(v->txn);
	code = mdb_txn_renew(v->txn);
	return code == 0 ? look(v, e) : raise(e, code, "read");
}

struct index_view *index_view_close(struct index_view *v)
{
	if (v != NULL) {
		mdb_txn_abort(v->txn);
		free(v);
	}
	return NULL;
}

static uint32_t place_check(const uint8_t *id, const uint8_t *value)
{
	uint8_t all[STEL_ID_BYTES + PLACE_CHECKED];

	memcpy(all, id, STEL_ID_BYTES);
	memcpy(all + STEL_ID_BYTES, value, PLACE_CHECKED);
	return (uint32_t)chunk_checksum(all, sizeof(all));
}

static void put_place(uint8_t out[PLACE_BYTES], const struct stel_id *id,
		      const struct index_place *p)
{
	memset(out, 0, PLACE_BYTES);
	put_le64(out, p->pack);
	put_le64(out + 8, p->offset);
	put_le64(out + 16, p->checksum);
	put_le32(out + 24, p->raw);
	put_le32(out + 28, p->stored);
	out[32] = (uint8_t)p->codec;
	out[33] = (uint8_t)p->kind;
	put_le32(out + PLACE_CHECKED, place_check(id->bytes, out));
}

static enum index_result get_place(struct bytes key, struct bytes value, struct index_place *out,
				   struct verr *e)
{
	const uint8_t *in = value.at;

	if (key.len != STEL_ID_BYTES || value.len != PLACE_BYTES ||
	    le32(in + PLACE_CHECKED) != place_check(key.at, in)) {
		(void)damaged(e, "an entry is damaged");
		return INDEX_FAULT;
	}
	*out = (struct index_place){.pack = le64(in),
				    .offset = le64(in + 8),
				    .checksum = le64(in + 16),
				    .raw = le32(in + 24),
				    .stored = le32(in + 28),
				    .codec = in[32],
				    .kind = in[33]};
	return INDEX_FOUND;
}

static enum index_result find(struct index_view *v, MDB_dbi table, const struct index_tree *tree,
			      struct bytes key, struct bytes *out, struct verr *e)
{
	MDB_val want = {.mv_size = key.len, .mv_data = (void *)(uintptr_t)key.at}, value;
	int code;

	if (v->changing) {
		code = mdb_get(v->txn, table, &want, &value);
		if (code == 0)
			*out = bytes_of(value.mv_data, value.mv_size);
		if (code == 0 || code == MDB_NOTFOUND)
			return code == 0 ? INDEX_FOUND : INDEX_ABSENT;
		(void)raise(e, code, "read");
		return INDEX_FAULT;
	}
	switch (index_pages_find(&v->pages, tree, key, out)) {
	case INDEX_PAGES_OK:
		return INDEX_FOUND;
	case INDEX_PAGES_ABSENT:
		return INDEX_ABSENT;
	case INDEX_PAGES_DAMAGED:
		break;
	}
	(void)damaged(e, "it is damaged");
	return INDEX_FAULT;
}

enum index_result index_find(struct index_view *v, const struct stel_id *id,
			     struct index_place *out, struct verr *e)
{
	struct bytes key = bytes_of(id->bytes, sizeof(id->bytes)), value;
	enum index_result r = find(v, v->x->chunks, &v->pages.chunks, key, &value, e);

	return r == INDEX_FOUND ? get_place(key, value, out, e) : r;
}

enum index_result index_is_leaving(struct index_view *v, uint64_t pack, struct verr *e)
{
	struct bytes value;

	return find(v, v->x->leaving, &v->pages.leaving, bytes_of(&pack, sizeof(pack)), &value, e);
}

struct walk {
	index_visit_fn *visit;
	void *ctx;
	struct verr *e;
	bool fault;
};

static bool visit_entry(void *ctx, const struct index_pages_entry *entry)
{
	struct walk *w = ctx;
	struct index_place place;
	struct stel_id id;

	if (entry->apart || get_place(entry->key, entry->value, &place, w->e) != INDEX_FOUND)
		return false;
	memcpy(id.bytes, entry->key.at, sizeof(id.bytes));
	w->fault = w->visit(w->ctx, &id, &place, w->e) < 0;
	return !w->fault;
}

int index_walk(struct index_view *v, index_visit_fn *visit, void *ctx, struct verr *e)
{
	struct walk w = {.visit = visit, .ctx = ctx, .e = e};
	const struct index_pages_visitor visitor = {.entry = visit_entry, .ctx = &w};

	if (index_pages_walk(&v->pages, &v->pages.chunks, &visitor) == INDEX_PAGES_OK)
		return 0;
	return w.fault || e->kind != VERR_NONE ? -1 : damaged(e, "it is damaged");
}

/* Before the first change in this process; what others change after it is whole. */
static int check_sound(struct index *x, struct verr *e)
{
	struct index_view *v = NULL;
	bool no_memory;

	if (x->sound)
		return 0;
	if (index_view_open(x, &v, e) < 0)
		return -1;
	x->sound = index_pages_check(&v->pages, PLACE_BYTES, &no_memory) == INDEX_PAGES_OK;
	(void)index_view_close(v);
	if (x->sound)
		return 0;
	return no_memory ? verr_host(e, "out of memory") : damaged(e, "it is damaged");
}

static MDB_val key_of(const struct stel_id *id)
{
	return (MDB_val){.mv_size = sizeof(id->bytes), .mv_data = (void *)(uintptr_t)id->bytes};
}

int index_change_begin(struct index *x, struct index_change **out, struct verr *e)
{
	struct index_change *c = calloc(1, sizeof(*c));
	int code;

	if (c == NULL)
		return verr_host(e, "out of memory");
	c->view.x = x;
	c->view.changing = true;
	code = mdb_txn_begin(x->env, NULL, 0, &c->view.txn);
	if (code != 0) {
		free(c);
		return raise(e, code, "change");
	}
	if (check_sound(x, e) < 0) {
		(void)index_change_abort(c);
		return -1;
	}
	*out = c;
	return 0;
}

int index_change_commit(struct index_change **c, struct verr *e)
{
	int code = mdb_txn_commit((*c)->view.txn); /* gone, whatever comes of it */

	free(*c);
	*c = NULL;
	return code == 0 ? 0 : raise(e, code, "change");
}

struct index_change *index_change_abort(struct index_change *c)
{
	if (c != NULL) {
		mdb_txn_abort(c->view.txn);
		free(c);
	}
	return NULL;
}

struct index_view *index_change_view(struct index_change *c)
{
	return &c->view;
}

int index_put(struct index_change *c, const struct stel_id *id, const struct index_place *place,
	      struct verr *e)
{
	uint8_t bytes[PLACE_BYTES];
	MDB_val key = key_of(id), value = {.mv_size = sizeof(bytes), .mv_data = bytes};
	int code;

	put_place(bytes, id, place);
	code = mdb_put(c->view.txn, c->view.x->chunks, &key, &value, 0);
	return code == 0 ? 0 : raise(e, code, "change");
}

int index_delete(struct index_change *c, const struct stel_id *id, struct verr *e)
{
	MDB_val key = key_of(id);
	int code = mdb_del(c->view.txn, c->view.x->chunks, &key, NULL);

	return code == 0 || code == MDB_NOTFOUND ? 0 : raise(e, code, "change");
}

int index_set_leaving(struct index_change *c, uint64_t pack, bool leaving, struct verr *e)
{
	MDB_val key = {.mv_size = sizeof(pack), .mv_data = &pack}, value = {0};
	int code;

	if (leaving)
		code = mdb_put(c->view.txn, c->view.x->leaving, &key, &value, 0);
	else
		code = mdb_del(c->view.txn, c->view.x->leaving, &key, NULL);
	return code == 0 || (!leaving && code == MDB_NOTFOUND) ? 0 : raise(e, code, "change");
}

int index_clear_leaving(struct index_change *c, struct verr *e)
{
	int code = mdb_drop(c->view.txn, c->view.x->leaving, 0);

	return code == 0 ? 0 : raise(e, code, "change");
}
