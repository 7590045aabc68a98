/* SPDX-License-Identifier: Apache-2.0 */
/* Writing the index anew from the packs, beside the old one, which is not even opened. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "stellarium/chunk/hash.h"
#include "stellarium/image/image.h"
#include "stellarium/store/file.h"

#define NEW_INDEX CAS_INDEX ".new"

struct repair {
	struct stel *s;
	struct index *index;
	struct index_change *change;
	uint8_t *segment;
	uint64_t chunks;
};

/* Only whole chunks: what was not durable when somebody was killed may be anything. */
static int put_segment(struct repair *r, struct packs_walk *w, struct verr *e)
{
	if (packs_walk_read(w, r->segment, e) < 0)
		return -1;
	for (uint32_t i = 0; i < w->segment.count; i++) {
		const struct pack_entry *entry = &w->entries[i];
		struct index_place place = packs_walk_place(w, entry), before;

		if (chunk_checksum(r->segment + entry->at, entry->stored) != entry->checksum)
			continue;
		switch (index_find(index_change_view(r->change), &entry->id, &before, e)) {
		case INDEX_FAULT:
			return -1;
		case INDEX_FOUND:
			break;
		case INDEX_ABSENT:
			r->chunks++;
			if (index_put(r->change, &entry->id, &place, e) < 0)
				return -1;
		}
	}
	return 0;
}

/* A pack in one change. One that is no pack of this store at all is left out. */
static int put_pack(struct repair *r, uint64_t id, struct verr *e)
{
	struct packs_walk *w = NULL;
	struct verr why = VERR_INIT;
	enum packs_result found = packs_walk_open(&r->s->packs, id, &w, &why);
	int result = 0;

	if (found == PACKS_DAMAGED || found == PACKS_ABSENT)
		return 0;
	if (found == PACKS_FAULT) {
		*e = why;
		return -1;
	}
	if (index_change_begin(r->index, &r->change, e) < 0)
		result = -1;
	while (result == 0 && (found = packs_walk_next(w, e)) == PACKS_OK)
		result = put_segment(r, w, e);
	if (found == PACKS_FAULT)
		result = -1;
	if (result == 0)
		result = index_change_commit(&r->change, e);
	r->change = index_change_abort(r->change);
	(void)packs_walk_close(w);
	return result;
}

static int put_packs(struct repair *r, struct verr *e)
{
	uint64_t *ids = NULL;
	size_t count = 0;
	int result = packs_list(&r->s->packs, &ids, &count, e);

	for (size_t i = 0; i < count && result == 0; i++)
		result = put_pack(r, ids[i], e);
	free(ids);
	return result;
}

static void remove_new(const struct stel *s)
{
	(void)unlinkat(s->dir, NEW_INDEX "/data.mdb", 0);
	(void)unlinkat(s->dir, NEW_INDEX "/lock.mdb", 0);
	(void)unlinkat(s->dir, NEW_INDEX, AT_REMOVEDIR);
}

static int make_new(struct repair *r, struct verr *e)
{
	auto_free char *folder = NULL;

	remove_new(r->s);
	if (mkdirat(r->s->dir, NEW_INDEX, 0777) < 0)
		return verr_os(e, "make %s", NEW_INDEX);
	if (asprintf(&folder, "%s/%s", r->s->path, NEW_INDEX) < 0) {
		folder = NULL;
		return verr_host(e, "out of memory");
	}
	return index_open(&r->index, folder, true, e);
}

static int sync_new(const struct stel *s, struct verr *e)
{
	auto_fd folder = file_open_folder(s->dir, NEW_INDEX, e);

	return folder < 0 ? -1 : file_sync(folder, NEW_INDEX, e);
}

/* The two change places at once; where there is no old one, the new one takes it. */
static int take_place(const struct stel *s, struct verr *e)
{
	if (renameat2(s->dir, NEW_INDEX, s->dir, CAS_INDEX, RENAME_EXCHANGE) < 0 &&
	    (errno != ENOENT || renameat(s->dir, NEW_INDEX, s->dir, CAS_INDEX) < 0))
		return verr_os(e, "rename %s", NEW_INDEX);
	if (file_sync(s->dir, "the store", e) < 0)
		return -1;
	remove_new(s);
	return 0;
}

int stel_repair_index(const char *path, uint64_t *chunks, struct verr *e)
{
	struct repair r = {.segment = malloc(PACK_SEGMENT_MAX)};
	int result = -1;

	if (r.segment == NULL)
		(void)verr_host(e, "out of memory");
	else if (cas_open(&r.s, path, true, e) == 0 && make_new(&r, e) == 0)
		result = put_packs(&r, e);
	r.index = index_close(r.index);
	if (result == 0 && (sync_new(r.s, e) < 0 || take_place(r.s, e) < 0))
		result = -1;
	*chunks = r.chunks;
	(void)stel_close(r.s);
	free(r.segment);
	return result;
}
