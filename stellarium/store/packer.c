/* SPDX-License-Identifier: Apache-2.0 */
#include "stellarium/store/packer.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/own.h"
#include "stellarium/chunk/cut.h"
#include "stellarium/chunk/hash.h"
#include "stellarium/store/file.h"

#define SEGMENT_DATA MIB(4) /* a segment is written when it has so much */
#define DATA_ROOM (SEGMENT_DATA + CHUNK_MAX + PACK_PAGE)
#define PACK_FULL MIB(256) /* then another pack begins */

int packer_init(struct packer *p, int folder, const struct seal_store *store, struct lease *lease,
		struct verr *e)
{
	*p = (struct packer)PACKER_INIT;
	p->folder = folder;
	p->store = *store;
	p->lease = lease;
	p->table = malloc(PACK_TABLE_MAX + PACK_PAGE);
	p->data = malloc(DATA_ROOM);
	p->entries = calloc(PACK_ENTRIES_MAX, sizeof(*p->entries));
	if (p->table == NULL || p->data == NULL || p->entries == NULL)
		return verr_host(e, "out of memory");
	return 0;
}

void packer_deinit(struct packer *p)
{
	fd_close(&p->fd);
	free(p->table);
	free(p->data);
	free(p->entries);
	free(p->made);
	*p = (struct packer)PACKER_INIT;
}

/* Pinned before it is there, so that nobody takes it for garbage. */
static int begin_pack(struct packer *p, struct verr *e)
{
	uint64_t *made = realloc(p->made, (p->made_count + 1) * sizeof(*made));
	uint8_t page[PACK_PAGE];
	char name[PACK_NAME];

	if (made == NULL)
		return verr_host(e, "out of memory");
	p->made = made;
	if (file_random(&p->id, e) < 0 || lease_pin_pack(p->lease, p->id, e) < 0)
		return -1;
	pack_name(p->id, name);
	p->fd = openat(p->folder, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (p->fd < 0)
		return verr_os(e, "make %s", name);
	made[p->made_count++] = p->id;
	p->folder_dirty = true;
	pack_put_head(page, &p->store, p->id);
	p->end = sizeof(page);
	return file_pwrite(p->fd, name, page, sizeof(page), 0, e);
}

static int sync_pack(struct packer *p, struct verr *e)
{
	if (p->dirty && file_sync(p->fd, "a pack", e) < 0)
		return -1;
	p->dirty = false;
	return 0;
}

static int report(struct packer *p, const struct pack_segment *s, packer_placed_fn *placed,
		  void *ctx, struct verr *e)
{
	for (uint32_t i = 0; i < s->count; i++) {
		const struct pack_entry *entry = &p->entries[i];
		struct index_place place = {.pack = p->id,
					    .offset = p->end + entry->at,
					    .checksum = entry->checksum,
					    .raw = entry->raw,
					    .stored = entry->stored,
					    .codec = entry->codec,
					    .kind = entry->kind};

		if (placed(ctx, &entry->id, &place, e) < 0)
			return -1;
	}
	return 0;
}

static int write_segment(struct packer *p, packer_placed_fn *placed, void *ctx, struct verr *e)
{
	size_t table = PACK_HEAD + (size_t)p->count * PACK_ENTRY;
	size_t data_at = (table + PACK_PAGE - 1) & ~(size_t)(PACK_PAGE - 1);
	size_t data = (p->used + PACK_PAGE - 1) & ~(size_t)(PACK_PAGE - 1);
	struct pack_segment s = {.count = p->count, .data_at = (uint32_t)data_at};

	if (p->fd < 0 && begin_pack(p, e) < 0)
		return -1;
	memset(p->table + table, 0, data_at - table);
	memset(p->data + p->used, 0, data - p->used);
	for (uint32_t i = 0; i < p->count; i++) {
		p->entries[i].at += s.data_at;
		pack_put_entry(p->table + PACK_HEAD + (size_t)i * PACK_ENTRY, &p->entries[i]);
	}
	s.len = data_at + data;
	s.checksum = chunk_checksum(p->table + PACK_HEAD, table - PACK_HEAD);
	pack_put_segment(p->table, &s);
	p->dirty = true;
	/* The table last: where it is, the rest most likely is, too. */
	if (file_pwrite(p->fd, "a pack", p->data, data, p->end + data_at, e) < 0 ||
	    file_pwrite(p->fd, "a pack", p->table, data_at, p->end, e) < 0 ||
	    report(p, &s, placed, ctx, e) < 0)
		return -1;
	p->end += s.len;
	p->count = 0;
	p->used = 0;
	if (p->end < PACK_FULL)
		return 0;
	if (sync_pack(p, e) < 0)
		return -1;
	fd_close(&p->fd);
	return 0;
}

int packer_add(struct packer *p, const struct packer_chunk *chunk, packer_placed_fn *placed,
	       void *ctx, struct verr *e)
{
	size_t skip = 0;

	if (p->aligned && chunk->codec == STEL_CODEC_NONE && chunk->raw % PACK_PAGE == 0)
		skip = (PACK_PAGE - p->used % PACK_PAGE) % PACK_PAGE;
	memset(p->data + p->used, 0, skip);
	p->used += skip;
	p->entries[p->count++] = (struct pack_entry){
		.id = chunk->id,
		.checksum = chunk_checksum(chunk->stored.at, chunk->stored.len),
		.raw = chunk->raw,
		.stored = (uint32_t)chunk->stored.len,
		.at = (uint32_t)p->used,
		.codec = chunk->codec,
		.kind = chunk->kind,
	};
	memcpy(p->data + p->used, chunk->stored.at, chunk->stored.len);
	p->used += chunk->stored.len;
	if (p->count < PACK_ENTRIES_MAX && p->used < SEGMENT_DATA)
		return 0;
	return write_segment(p, placed, ctx, e);
}

int packer_sync(struct packer *p, packer_placed_fn *placed, void *ctx, struct verr *e)
{
	if (p->count > 0 && write_segment(p, placed, ctx, e) < 0)
		return -1;
	if (sync_pack(p, e) < 0)
		return -1;
	if (p->folder_dirty && file_sync(p->folder, "packs", e) < 0)
		return -1;
	p->folder_dirty = false;
	return 0;
}
