/* SPDX-License-Identifier: Apache-2.0 */
#include "stellarium/store/index.h"

#include <lmdb.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/own.h"
#include "stellarium/chunk/hash.h"

/*
 * chunks: id[32] -> u64 pack, u64 offset, u64 checksum, u32 raw, u32 stored, u8 codec, u8 kind,
 * u16 zero, u32 XXH3 of the id and what is before it. LMDB has no checksums of its own.
 */
#define PLACE_BYTES 40
#define PLACE_CHECKED 36
#define MAP_BYTES GIB(256) /* address space, not memory: the most that an index can grow to */
#define READERS 1024

struct index {
	MDB_env *env;
	MDB_dbi chunks, leaving;
};

struct index_view {
	struct index *x;
	MDB_txn *txn;
};

struct index_change {
	struct index_view view; /* txn is NULL once committed */
};

static int raise(struct verr *e, int code, const char *what)
{
	if (code == MDB_MAP_FULL)
		return verr_host(e, "index: it is full, at %llu GiB",
				 (unsigned long long)(MAP_BYTES / GIB(1)));
	if (code == MDB_CORRUPTED || code == MDB_PAGE_NOTFOUND || code == MDB_INVALID ||
	    code == MDB_VERSION_MISMATCH || code == MDB_NOTFOUND || code == MDB_INCOMPATIBLE ||
	    code == MDB_BAD_VALSIZE)
		return verr_corrupt(e,
				    "index: %s: %s; stellarium verify --repair-index writes it "
				    "anew",
				    what, mdb_strerror(code));
	return verr_host(e, "index: %s: %s", what, mdb_strerror(code));
}

static int open_tables(struct index *x, struct verr *e)
{
	MDB_txn *txn;
	int code, stale;

	(void)mdb_reader_check(x->env, &stale); /* places of processes that died */
	/* Reading is enough where the tables exist, and waits for no writer. */
	code = mdb_txn_begin(x->env, NULL, MDB_RDONLY, &txn);
	if (code != 0)
		return raise(e, code, "open");
	code = mdb_dbi_open(txn, "chunks", 0, &x->chunks);
	if (code == 0)
		code = mdb_dbi_open(txn, "leaving", MDB_INTEGERKEY, &x->leaving);
	if (code == 0)
		code = mdb_txn_commit(txn);
	else
		mdb_txn_abort(txn);
	if (code != MDB_NOTFOUND)
		return code == 0 ? 0 : raise(e, code, "open");

	code = mdb_txn_begin(x->env, NULL, 0, &txn);
	if (code != 0)
		return raise(e, code, "open");
	code = mdb_dbi_open(txn, "chunks", MDB_CREATE, &x->chunks);
	if (code == 0)
		code = mdb_dbi_open(txn, "leaving", MDB_CREATE | MDB_INTEGERKEY, &x->leaving);
	if (code == 0)
		code = mdb_txn_commit(txn);
	else
		mdb_txn_abort(txn);
	return code == 0 ? 0 : raise(e, code, "make");
}

int index_open(struct index **out, const char *folder, struct verr *e)
{
	struct index *x = calloc(1, sizeof(*x));
	int code;

	if (x == NULL)
		return verr_host(e, "out of memory");
	code = mdb_env_create(&x->env);
	if (code == 0)
		code = mdb_env_set_mapsize(x->env, MAP_BYTES);
	if (code == 0)
		code = mdb_env_set_maxdbs(x->env, 2);
	if (code == 0)
		code = mdb_env_set_maxreaders(x->env, READERS);
	if (code == 0)
		code = mdb_env_open(x->env, folder, MDB_NOTLS, 0666);
	if (code != 0 ? raise(e, code, "open") < 0 : open_tables(x, e) < 0) {
		(void)index_close(x);
		return -1;
	}
	*out = x;
	return 0;
}

struct index *index_close(struct index *x)
{
	if (x != NULL) {
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
	*out = v;
	return 0;
}

int index_view_renew(struct index_view *v, struct verr *e)
{
	int code;

	mdb_txn_reset(v->txn);
	code = mdb_txn_renew(v->txn);
	return code == 0 ? 0 : raise(e, code, "read");
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

static enum index_result get_place(const MDB_val *key, const MDB_val *value,
				   struct index_place *out, struct verr *e)
{
	const uint8_t *in = value->mv_data;

	if (key->mv_size != STEL_ID_BYTES || value->mv_size != PLACE_BYTES ||
	    le32(in + PLACE_CHECKED) != place_check(key->mv_data, in)) {
		(void)verr_corrupt(e, "index: an entry is damaged; stellarium verify "
				      "--repair-index writes it anew");
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

static MDB_val key_of(const struct stel_id *id)
{
	return (MDB_val){.mv_size = sizeof(id->bytes), .mv_data = (void *)(uintptr_t)id->bytes};
}

enum index_result index_find(struct index_view *v, const struct stel_id *id,
			     struct index_place *out, struct verr *e)
{
	MDB_val key = key_of(id), value;
	int code = mdb_get(v->txn, v->x->chunks, &key, &value);

	if (code == 0)
		return get_place(&key, &value, out, e);
	if (code == MDB_NOTFOUND)
		return INDEX_ABSENT;
	(void)raise(e, code, "read");
	return INDEX_FAULT;
}

enum index_result index_is_leaving(struct index_view *v, uint64_t pack, struct verr *e)
{
	MDB_val key = {.mv_size = sizeof(pack), .mv_data = &pack}, value;
	int code = mdb_get(v->txn, v->x->leaving, &key, &value);

	if (code == 0)
		return INDEX_FOUND;
	if (code == MDB_NOTFOUND)
		return INDEX_ABSENT;
	(void)raise(e, code, "read");
	return INDEX_FAULT;
}

int index_walk(struct index_view *v, index_visit_fn *visit, void *ctx, struct verr *e)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	struct index_place place;
	struct stel_id id;
	int code = mdb_cursor_open(v->txn, v->x->chunks, &cursor), r = 0;

	if (code != 0)
		return raise(e, code, "read");
	while (r == 0 && (code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
		r = -1;
		if (get_place(&key, &value, &place, e) == INDEX_FAULT)
			break;
		memcpy(id.bytes, key.mv_data, sizeof(id.bytes));
		r = visit(ctx, &id, &place, e);
	}
	mdb_cursor_close(cursor);
	if (r == 0 && code != MDB_NOTFOUND)
		return raise(e, code, "read");
	return r;
}

int index_change_begin(struct index *x, struct index_change **out, struct verr *e)
{
	struct index_change *c = calloc(1, sizeof(*c));
	int code;

	if (c == NULL)
		return verr_host(e, "out of memory");
	c->view.x = x;
	code = mdb_txn_begin(x->env, NULL, 0, &c->view.txn);
	if (code != 0) {
		free(c);
		return raise(e, code, "change");
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
