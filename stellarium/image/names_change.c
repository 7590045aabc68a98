/* SPDX-License-Identifier: Apache-2.0 */
/* Changing the names: names.h says how the file is made. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/own.h"
#include "stellarium/chunk/hash.h"
#include "stellarium/image/names_priv.h"
#include "stellarium/store/cas.h"
#include "stellarium/store/file.h"

#define REWRITE_FROM KIB(256) /* a smaller log is never written anew */
#define CHANGE_MAX (2 + STEL_NAME_MAX + 16 + STEL_ID_BYTES)

static size_t put_change(uint8_t *out, const char *name, const struct names_entry *entry)
{
	size_t len = strlen(name);

	out[0] = entry != NULL ? NAMES_SET : NAMES_UNSET;
	out[1] = (uint8_t)len;
	for (size_t i = 0; i < len; i++)
		out[2 + i] = (uint8_t)name[i];
	if (entry == NULL)
		return 2 + len;
	put_le64(out + 2 + len, (uint64_t)entry->time);
	put_le64(out + 10 + len, entry->size);
	memcpy(out + 18 + len, entry->id.bytes, STEL_ID_BYTES);
	return 18 + len + STEL_ID_BYTES;
}

static void finish_record(uint8_t *record, size_t len, uint64_t number)
{
	memcpy(record, names_record_magic, sizeof(names_record_magic));
	put_le32(record + 4, (uint32_t)len);
	put_le64(record + 8, number);
	put_le64(record + 16, names_record_checksum(record, len));
}

static void put_mark(uint8_t out[NAMES_MARK], uint64_t number, uint64_t end)
{
	memset(out, 0, NAMES_MARK);
	put_le64(out, number);
	put_le64(out + 8, end);
	put_le64(out + 24, chunk_checksum(out, 24));
}

/* One record with all names; none where there are none. */
int names_write(const struct names *n, const struct seal_store *store, uint8_t **out, size_t *len,
		struct verr *e)
{
	uint8_t *bytes = calloc(1, NAMES_PAGE + NAMES_RECORD + n->count * CHANGE_MAX);
	uint64_t number = n->count > 0 ? 1 : 0;
	size_t at = NAMES_PAGE;

	if (bytes == NULL)
		return verr_host(e, "out of memory");
	if (number > 0) {
		at += NAMES_RECORD;
		for (size_t i = 0; i < n->count; i++)
			at += put_change(bytes + at, n->entries[i].name, &n->entries[i]);
		finish_record(bytes + NAMES_PAGE, at - NAMES_PAGE, number);
	}
	seal_put(bytes, names_magic, store, bytes_of(bytes, 0));
	put_mark(bytes + NAMES_MARK_AT(0), 0, NAMES_PAGE);
	put_mark(bytes + NAMES_MARK_AT(1), number, at);
	*out = bytes;
	*len = at;
	return 0;
}

static int replace(const struct names *n, int dir, const struct seal_store *store, struct verr *e)
{
	auto_free uint8_t *bytes = NULL;
	size_t len = 0;

	if (names_write(n, store, &bytes, &len, e) < 0)
		return -1;
	return file_replace(dir, CAS_NAMES, bytes, len, e);
}

int names_create(int dir, const struct seal_store *store, struct verr *e)
{
	const struct names none = NAMES_INIT;

	return replace(&none, dir, store, e);
}

/* The log may have been written anew while we waited for the lock: then it is another file. */
static int open_locked(int dir, struct verr *e)
{
	struct stat here, there;

	for (;;) {
		auto_fd fd = openat(dir, CAS_NAMES, O_RDWR | O_CLOEXEC);

		if (fd < 0)
			return verr_os(e, "open names");
		if (file_lock(fd, CAS_NAMES, LOCK_EX, e) != FILE_LOCKED)
			return -1;
		if (fstat(fd, &here) < 0)
			return verr_os(e, "open names");
		if (fstatat(dir, CAS_NAMES, &there, 0) == 0 && here.st_ino == there.st_ino)
			return fd_take(&fd);
	}
}

int names_begin(struct names_change *c, int dir, const struct seal_store *store, struct verr *e)
{
	*c = (struct names_change)NAMES_CHANGE_INIT;
	c->dir = dir;
	c->store = *store;
	c->fd = open_locked(dir, e);
	if (c->fd < 0)
		return -1;
	c->len = NAMES_RECORD;
	return names_read_fd(&c->now, c->fd, store, e);
}

void names_change_deinit(struct names_change *c)
{
	fd_close(&c->fd);
	names_deinit(&c->now);
	free(c->record);
	*c = (struct names_change)NAMES_CHANGE_INIT;
}

static int add(struct names_change *c, const char *name, const struct names_entry *entry,
	       struct verr *e)
{
	size_t room = c->room == 0 ? KIB(4) : 2 * c->room;
	uint8_t *more;

	if (c->len + CHANGE_MAX > NAMES_RECORD_MAX)
		return verr_invalid(e, "too many names at once");
	if (c->len + CHANGE_MAX > c->room) {
		more = realloc(c->record, room);
		if (more == NULL)
			return verr_host(e, "out of memory");
		c->record = more;
		c->room = room;
	}
	c->len += put_change(c->record + c->len, name, entry);
	return 0;
}

int names_set(struct names_change *c, const char *name, const struct stel_id *id, uint64_t size,
	      struct verr *e)
{
	struct names_entry entry = {.id = *id, .size = size, .time = (int64_t)time(NULL)};

	if (stel_check_name(name, e) < 0 || add(c, name, &entry, e) < 0)
		return -1;
	return names_put(&c->now, name, &entry, e);
}

int names_unset(struct names_change *c, const char *name, struct verr *e)
{
	if (!names_drop(&c->now, name))
		return verr_not_found(e, "%s: there is no such image", name);
	return add(c, name, NULL, e);
}

/* Append the record, durable, then the mark. What somebody left unfinished behind the last record
 * is cut off before. */
static int append(struct names_change *c, struct verr *e)
{
	uint64_t number = c->now.number + 1, end = c->now.end + c->len;
	uint8_t mark[NAMES_MARK];

	finish_record(c->record, c->len, number);
	put_mark(mark, number, end);
	if (ftruncate(c->fd, (off_t)c->now.end) < 0)
		return verr_os(e, "write names");
	if (file_pwrite(c->fd, CAS_NAMES, c->record, c->len, c->now.end, e) < 0 ||
	    file_sync(c->fd, CAS_NAMES, e) < 0) {
		/* It shall not count after all. */
		return ftruncate(c->fd, (off_t)c->now.end) < 0 ? verr_os(e, "write names") : -1;
	}
	if (file_pwrite(c->fd, CAS_NAMES, mark, sizeof(mark), NAMES_MARK_AT(number), e) < 0)
		return -1;
	return file_sync(c->fd, CAS_NAMES, e);
}

int names_commit(struct names_change *c, struct verr *e)
{
	uint64_t live = NAMES_PAGE + NAMES_RECORD + c->now.count * (CHANGE_MAX / 2);

	if (c->len == NAMES_RECORD)
		return 0;
	if (c->now.page_bad || (c->now.end > REWRITE_FROM && c->now.end > 4 * live))
		return replace(&c->now, c->dir, &c->store, e);
	return append(c, e);
}
