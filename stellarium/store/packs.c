/* SPDX-License-Identifier: Apache-2.0 */
#include "stellarium/store/packs.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "stellarium/chunk/hash.h"
#include "stellarium/store/file.h"

void packs_init(struct packs *p, int folder, const struct seal_store *store)
{
	*p = (struct packs){.folder = folder, .store = *store};
}

void packs_deinit(struct packs *p)
{
	for (unsigned int i = 0; i < p->count; i++)
		fd_close(&p->open[i].fd);
	p->count = 0;
}

void packs_forget(struct packs *p, uint64_t id)
{
	for (unsigned int i = 0; i < p->count; i++) {
		if (p->open[i].id != id)
			continue;
		fd_close(&p->open[i].fd);
		p->open[i] = p->open[--p->count];
		return;
	}
}

static enum packs_result damaged(struct verr *e, uint64_t id)
{
	(void)verr_note(e, "pack %016llx", (unsigned long long)id);
	return PACKS_DAMAGED;
}

enum packs_result packs_open(const struct packs *p, uint64_t id, int *out, struct verr *e)
{
	uint8_t page[PACK_PAGE];
	char name[PACK_NAME];
	size_t got;
	auto_fd fd = -1;

	pack_name(id, name);
	fd = openat(p->folder, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return PACKS_ABSENT;
	if (fd < 0) {
		(void)verr_os(e, "open %s", name);
		return PACKS_FAULT;
	}
	if (file_pread(fd, name, page, sizeof(page), 0, &got, e) < 0)
		return PACKS_FAULT;
	if (pack_get_head(bytes_of(page, got), &p->store, id, e) < 0)
		return damaged(e, id);
	*out = fd_take(&fd);
	return PACKS_OK;
}

static enum packs_result find_open(struct packs *p, uint64_t id, int *fd, struct verr *e)
{
	enum packs_result r;
	unsigned int slot;

	for (unsigned int i = 0; i < p->count; i++) {
		if (p->open[i].id == id) {
			*fd = p->open[i].fd;
			return PACKS_OK;
		}
	}
	r = packs_open(p, id, fd, e);
	if (r != PACKS_OK)
		return r;
	if (p->count < PACKS_OPEN) {
		slot = p->count++;
	} else {
		slot = p->next++ % PACKS_OPEN;
		fd_close(&p->open[slot].fd);
	}
	p->open[slot].id = id;
	p->open[slot].fd = *fd;
	return PACKS_OK;
}

enum packs_result packs_check(struct packs *p, uint64_t id, struct verr *e)
{
	int fd;

	return find_open(p, id, &fd, e);
}

enum packs_result packs_read(struct packs *p, const struct index_place *place, uint8_t *out,
			     struct verr *e)
{
	enum packs_result r;
	size_t got;
	int fd;

	r = find_open(p, place->pack, &fd, e);
	if (r != PACKS_OK)
		return r;
	if (file_pread(fd, "a pack", out, place->stored, place->offset, &got, e) < 0)
		return PACKS_FAULT;
	if (got == place->stored && chunk_checksum(out, got) == place->checksum)
		return PACKS_OK;
	(void)verr_corrupt(e, "%s at byte %llu", got < place->stored ? "cut short" : "damaged",
			   (unsigned long long)place->offset);
	return damaged(e, place->pack);
}

static int compare_ids(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

int packs_list(struct packs *p, uint64_t **ids, size_t *count, struct verr *e)
{
	int fd = openat(p->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	auto_free uint64_t *list = NULL;
	struct dirent *entry;
	uint64_t id, *more;
	size_t room = 0;

	*count = 0;
	if (dir == NULL) {
		(void)verr_os(e, "open packs");
		fd_close(&fd);
		return -1;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (!pack_parse_name(entry->d_name, &id))
			continue;
		if (*count == room) {
			room = room == 0 ? 64 : 2 * room;
			more = realloc(list, room * sizeof(*list));
			if (more == NULL)
				break;
			list = more;
		}
		list[(*count)++] = id;
	}
	(void)closedir(dir);
	if (entry != NULL)
		return verr_host(e, "out of memory");
	if (*count > 0)
		qsort(list, *count, sizeof(*list), compare_ids);
	*ids = ptr_take(list);
	return 0;
}

enum packs_result packs_walk_open(struct packs *p, uint64_t id, struct packs_walk **out,
				  struct verr *e)
{
	struct packs_walk *w = calloc(1, sizeof(*w));
	enum packs_result r = PACKS_FAULT;
	struct stat st;

	if (w != NULL)
		w->table = malloc(PACK_TABLE_MAX);
	if (w == NULL || w->table == NULL) {
		(void)verr_host(e, "out of memory");
		free(w);
		return PACKS_FAULT;
	}
	w->id = id;
	w->next = PACK_PAGE;
	w->fd = -1;
	r = packs_open(p, id, &w->fd, e);
	if (r == PACKS_OK && fstat(w->fd, &st) < 0) {
		(void)verr_os(e, "a pack");
		r = PACKS_FAULT;
	}
	if (r != PACKS_OK) {
		(void)packs_walk_close(w);
		return r;
	}
	w->size = (uint64_t)st.st_size;
	*out = w;
	return PACKS_OK;
}

struct packs_walk *packs_walk_close(struct packs_walk *w)
{
	if (w != NULL) {
		fd_close(&w->fd);
		free(w->table);
		free(w);
	}
	return NULL;
}

/* Is there a whole segment at w->next? */
static enum packs_result try_segment(struct packs_walk *w, struct verr *e)
{
	size_t got, table;

	if (file_pread(w->fd, "a pack", w->table, PACK_HEAD, w->next, &got, e) < 0)
		return PACKS_FAULT;
	if (!pack_get_segment(bytes_of(w->table, got), &w->segment) ||
	    !range_within(w->next, w->segment.len, w->size))
		return PACKS_ABSENT;
	table = (size_t)w->segment.count * PACK_ENTRY;
	if (file_pread(w->fd, "a pack", w->table + PACK_HEAD, table, w->next + PACK_HEAD, &got, e) <
	    0)
		return PACKS_FAULT;
	if (!pack_get_entries(bytes_of(w->table + PACK_HEAD, got), &w->segment, w->entries))
		return PACKS_ABSENT;
	w->at = w->next;
	w->next += w->segment.len;
	return PACKS_OK;
}

enum packs_result packs_walk_next(struct packs_walk *w, struct verr *e)
{
	enum packs_result r = PACKS_ABSENT;

	while (r == PACKS_ABSENT && w->next < w->size) {
		r = try_segment(w, e);
		if (r == PACKS_ABSENT)
			w->next += PACK_PAGE;
	}
	return r;
}

int packs_walk_read(struct packs_walk *w, uint8_t *out, struct verr *e)
{
	size_t got;

	if (file_pread(w->fd, "a pack", out, (size_t)w->segment.len, w->at, &got, e) < 0)
		return -1;
	return got == w->segment.len ? 0 : verr_corrupt(e, "a pack became shorter");
}

struct index_place packs_walk_place(const struct packs_walk *w, const struct pack_entry *entry)
{
	return (struct index_place){.pack = w->id,
				    .offset = w->at + entry->at,
				    .checksum = entry->checksum,
				    .raw = entry->raw,
				    .stored = entry->stored,
				    .codec = entry->codec,
				    .kind = entry->kind};
}
