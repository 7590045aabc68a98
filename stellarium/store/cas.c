/* SPDX-License-Identifier: Apache-2.0 */
#include "stellarium/store/cas.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "stellarium/chunk/cut.h"
#include "stellarium/chunk/hash.h"
#include "stellarium/store/file.h"
#include "stellarium/store/options.h"

#define TRIES 100 /* of reading a chunk that garbage collection moves meanwhile */

static int open_gc(struct stel *s, struct verr *e)
{
	s->gc = openat(s->dir, "gc", O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	return s->gc < 0 ? verr_os(e, "open gc") : 0;
}

static int read_format(struct stel *s, bool exclusive, struct verr *e)
{
	uint8_t bytes[SEAL_MAX];
	size_t got;

	s->format = openat(s->dir, "format", O_RDONLY | O_CLOEXEC);
	if (s->format < 0 && errno == ENOENT)
		return verr_invalid(e, "it is not a store; stellarium init makes one");
	if (s->format < 0)
		return verr_os(e, "open format");
	switch (file_lock(s->format, "format", (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB, e)) {
	case FILE_FAULT:
		return -1;
	case FILE_BUSY:
		return verr_state(e, exclusive ? "somebody has it open"
					       : "its index is being repaired");
	case FILE_LOCKED:
		break;
	}
	if (file_pread(s->format, "format", bytes, sizeof(bytes), 0, &got, e) < 0)
		return -1;
	if (options_get(bytes_of(bytes, got), &s->store, &s->defaults, e) < 0)
		return verr_note(e, "format");
	return 0;
}

static int open_all(struct stel *s, const char *path, bool exclusive, struct verr *e)
{
	s->path = strdup(path);
	s->stored = malloc(CHUNK_MAX);
	if (s->path == NULL || s->stored == NULL)
		return verr_host(e, "out of memory");
	s->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir < 0 && errno == ENOENT)
		return verr_raise(e, VERR_NOT_FOUND, 0, __FILE__, __LINE__,
				  "there is no such store; stellarium init makes one");
	if (s->dir < 0)
		return verr_invalid_os(e, "open");
	if (read_format(s, exclusive, e) < 0 || open_gc(s, e) < 0 ||
	    chunk_expander_new(&s->expander, e) < 0)
		return -1;
	s->packs_dir = file_open_folder(s->dir, "packs", e);
	if (s->packs_dir < 0)
		return -1;
	s->leases_dir = file_open_folder(s->dir, "leases", e);
	if (s->leases_dir < 0)
		return -1;
	packs_init(&s->packs, s->packs_dir, &s->store);
	return 0;
}

int cas_open(struct stel **out, const char *path, bool exclusive, struct verr *e)
{
	struct stel *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return verr_host(e, "out of memory");
	s->dir = s->format = s->packs_dir = s->leases_dir = s->gc = -1;
	if (open_all(s, path, exclusive, e) < 0) {
		(void)stel_close(s);
		return verr_note(e, "%s", path);
	}
	*out = s;
	return 0;
}

int stel_open(struct stel **out, const char *path, struct verr *e)
{
	auto_free char *folder = NULL;
	struct stel *s = NULL;

	if (cas_open(&s, path, false, e) < 0)
		return -1;
	if (asprintf(&folder, "%s/%s", path, CAS_INDEX) < 0) {
		folder = NULL;
		(void)verr_host(e, "out of memory");
	} else if (index_open(&s->index, folder, false, e) == 0) {
		*out = s;
		return 0;
	}
	(void)stel_close(s);
	return verr_note(e, "%s", path);
}

struct stel *stel_close(struct stel *s)
{
	if (s == NULL)
		return NULL;
	s->index = index_close(s->index);
	packs_deinit(&s->packs);
	s->expander = chunk_expander_free(s->expander);
	fd_close(&s->gc);
	fd_close(&s->leases_dir);
	fd_close(&s->packs_dir);
	fd_close(&s->format);
	fd_close(&s->dir);
	free(s->stored);
	free(s->path);
	free(s);
	return NULL;
}

const struct stel_options *stel_defaults(const struct stel *s)
{
	return &s->defaults;
}

static void name_chunk(const struct stel_id *id, struct verr *e)
{
	char text[STEL_ID_TEXT];

	stel_id_text(id, text);
	(void)verr_note(e, "chunk %.16s", text);
}

enum cas_result cas_expand(struct stel *s, const struct stel_id *id,
			   const struct index_place *place, const uint8_t *stored, uint8_t *out,
			   struct verr *e)
{
	struct stel_id found;

	if (chunk_expand(s->expander, place->codec, bytes_of(stored, place->stored), out,
			 place->raw)) {
		found = chunk_hash(out, place->raw);
		if (chunk_same(&found, id))
			return CAS_OK;
	}
	(void)verr_corrupt(e, "what is in pack %016llx at byte %llu is something else",
			   (unsigned long long)place->pack, (unsigned long long)place->offset);
	name_chunk(id, e);
	return CAS_DAMAGED;
}

static enum cas_result missing(const struct stel_id *id, struct verr *e)
{
	name_chunk(id, e);
	return CAS_MISSING;
}

/* Retried with the index of now when the pack is gone: garbage collection moves chunks. */
enum cas_result cas_load(struct stel *s, struct index_view *view, const struct stel_id *id,
			 uint8_t *out, size_t room, size_t *len, struct verr *e)
{
	struct index_place place;

	for (int i = 0; i < TRIES; i++) {
		switch (index_find(view, id, &place, e)) {
		case INDEX_FAULT:
			return CAS_FAULT;
		case INDEX_ABSENT:
			(void)verr_corrupt(e, "the index does not have it; stellarium verify "
					      "--repair-index looks for it");
			return missing(id, e);
		case INDEX_FOUND:
			break;
		}
		if (place.raw > room || place.stored > CHUNK_MAX || place.stored > place.raw) {
			(void)verr_corrupt(e, "it is larger than it can be");
			name_chunk(id, e);
			return CAS_DAMAGED;
		}
		switch (packs_read(&s->packs, &place, s->stored, e)) {
		case PACKS_FAULT:
			return CAS_FAULT;
		case PACKS_DAMAGED:
			name_chunk(id, e);
			return CAS_DAMAGED;
		case PACKS_OK:
			*len = place.raw;
			return cas_expand(s, id, &place, s->stored, out, e);
		case PACKS_ABSENT:
			break;
		}
		if (index_view_renew(view, e) < 0)
			return CAS_FAULT;
	}
	(void)verr_corrupt(e, "there is no pack %016llx", (unsigned long long)place.pack);
	return missing(id, e);
}
