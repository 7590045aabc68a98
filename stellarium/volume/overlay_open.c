/* SPDX-License-Identifier: Apache-2.0 */
/* Overlays as files: finding, making, locking them, and reading which pages they have. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "base/owner.h"
#include "stellarium/store/file.h"
#include "stellarium/volume/overlay_priv.h"

/* A process that was killed keeps its locks for some milliseconds. */
#define LOCK_TRIES 20
#define LOCK_PAUSE_US 10000

/* -- memory */

/* Zero until it is written to, and none of it there until then. */
static void *reserve(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static size_t map_bytes(const struct overlay *o)
{
	return (size_t)(o->blocks * OVERLAY_WORDS * sizeof(uint64_t));
}

static int prepare(struct overlay *o, uint64_t size, struct verr *e)
{
	o->size = size;
	o->pages = overlay_pages(size);
	o->blocks = overlay_blocks(size);
	o->data_at = overlay_data_at(size);
	o->map = reserve(map_bytes(o));
	if (!o->readonly && !o->passing) {
		o->written = reserve(map_bytes(o));
		o->current = calloc(o->blocks, 1);
		o->changed = calloc(o->blocks, 1);
	}
	o->dirty = calloc(o->blocks, 1);
	if (o->map == NULL || o->dirty == NULL ||
	    (!o->readonly && !o->passing &&
	     (o->written == NULL || o->current == NULL || o->changed == NULL)))
		return verr_host(e, "out of memory");
	(void)pthread_mutex_init(&o->map_lock, NULL);
	(void)pthread_mutex_init(&o->flush_lock, NULL);
	o->changeable = true;
	return 0;
}

void overlay_close(struct overlay *o)
{
	if (o->map != NULL)
		(void)munmap(o->map, map_bytes(o));
	if (o->written != NULL)
		(void)munmap(o->written, map_bytes(o));
	free(o->dirty);
	free(o->current);
	free(o->changed);
	if (o->changeable) {
		(void)pthread_mutex_destroy(&o->map_lock);
		(void)pthread_mutex_destroy(&o->flush_lock);
	}
	/* Whoever waits for it need not wait for the kernel, too. */
	if (o->fd >= 0)
		(void)flock(o->fd, LOCK_UN);
	fd_close(&o->fd);
	*o = (struct overlay)OVERLAY_INIT;
}

/* -- which pages it has */

static int load_block(struct overlay *o, uint64_t block, uint64_t mark, struct verr *e)
{
	uint64_t first = block * OVERLAY_BLOCK, map[OVERLAY_WORDS];
	uint8_t slots[2 * OVERLAY_PAGE];
	struct overlay_block found;
	size_t got;

	if (file_pread(o->fd, "it", slots, sizeof(slots), overlay_slot_at(block, 0), &got, e) < 0)
		return -1;
	if (got < sizeof(slots))
		return verr_corrupt(e, "it is cut short");
	if (overlay_get_block(slots, block, mark, o->pages - first, &found, map, e) < 0)
		return -1;
	for (size_t i = 0; i < OVERLAY_WORDS; i++)
		if (map[i] != 0)
			atomic_store_explicit(&o->map[block * OVERLAY_WORDS + i], map[i],
					      memory_order_relaxed);
	o->number = MAX(o->number, found.number);
	/* The next flush must leave no slot behind that is torn and has its own number. */
	o->dirty[block] = found.torn;
	if (o->current != NULL)
		o->current[block] = (uint8_t)found.current;
	return 0;
}

/* Only where something was written: so that a large disk opens at once. */
static int load_map(struct overlay *o, uint64_t mark, struct verr *e)
{
	o->number = mark;
	for (uint64_t block = 0; block < o->blocks; block++) {
		off_t start = (off_t)overlay_slot_at(block, 0);
		off_t data = lseek(o->fd, start, SEEK_DATA);

		if (data < 0 && errno == ENXIO)
			return 0;
		if (data > start)
			block = ((uint64_t)data / OVERLAY_PAGE - 1) / 2;
		if (block < o->blocks && load_block(o, block, mark, e) < 0)
			return -1;
	}
	return 0;
}

/* -- opening */

static int in_use(int fd, struct verr *e)
{
	char owner[LOCK_OWNER_MAX];

	lock_owner(fd, owner);
	return verr_invalid(e, "in use%s%s; a volume that is written to belongs to one machine",
			    *owner != '\0' ? " by " : "", owner);
}

static enum file_lock try_lock(int fd, enum overlay_access access, struct verr *e)
{
	int operation = (access == OVERLAY_WRITE ? LOCK_EX : LOCK_SH) | LOCK_NB;
	enum file_lock r = FILE_BUSY;

	for (int i = 0; i < LOCK_TRIES && r == FILE_BUSY; i++) {
		if (i > 0)
			(void)usleep(LOCK_PAUSE_US);
		r = file_lock(fd, "it", operation, e);
		if (access == OVERLAY_LOOK)
			break;
	}
	return r;
}

static int read_head(struct overlay *o, const struct seal_store *store, struct overlay_head *head,
		     uint64_t *mark, struct verr *e)
{
	uint8_t page[OVERLAY_PAGE];
	struct stat st;
	size_t got;

	if (fstat(o->fd, &st) < 0)
		return verr_os(e, "stat");
	if (!S_ISREG(st.st_mode))
		return verr_invalid(e, "it is no regular file");
	if (file_pread(o->fd, "it", page, sizeof(page), 0, &got, e) < 0 ||
	    overlay_get_head(bytes_of(page, got), store, head, mark, e) < 0)
		return -1;
	if ((uint64_t)st.st_size <
	    overlay_data_at(head->size) + overlay_pages(head->size) * OVERLAY_PAGE)
		return verr_corrupt(e, "it is cut short");
	return 0;
}

static int read_all(struct overlay *o, enum overlay_access access, const struct seal_store *store,
		    struct overlay_head *head, bool *busy, struct verr *e)
{
	uint64_t mark = 0;

	switch (try_lock(o->fd, access, e)) {
	case FILE_FAULT:
		return -1;
	case FILE_BUSY:
		if (access != OVERLAY_LOOK)
			return in_use(o->fd, e);
		*busy = true;
		break;
	case FILE_LOCKED:
		break;
	}
	if (read_head(o, store, head, &mark, e) < 0 || prepare(o, head->size, e) < 0)
		return -1;
	if (access == OVERLAY_LOOK && *busy)
		return 0;
	if (load_map(o, mark, e) < 0)
		return -1;
	if (access != OVERLAY_WRITE)
		return 0;
	errno = overlay_put_number(o, o->number);
	return errno != 0 ? verr_os(e, "write") : 0;
}

enum overlay_found overlay_open(struct overlay *o, const struct overlay_place *place,
				enum overlay_access access, const struct seal_store *store,
				struct overlay_head *head, bool *busy, struct verr *e)
{
	int flags = access == OVERLAY_WRITE ? O_RDWR : O_RDONLY;
	bool used = false;

	*o = (struct overlay)OVERLAY_INIT;
	o->readonly = access != OVERLAY_WRITE;
	/* Not blocking: a FIFO must be refused, not waited for. */
	o->fd = openat(place->folder, place->name, flags | O_CLOEXEC | O_NONBLOCK);
	if (o->fd < 0 && errno == ENOENT)
		return OVERLAY_MISSING;
	if (o->fd < 0) {
		(void)verr_invalid_os(e, "cannot open it");
		return OVERLAY_FAULT;
	}
	if (read_all(o, access, store, head, &used, e) < 0) {
		overlay_close(o);
		return OVERLAY_FAULT;
	}
	if (busy != NULL)
		*busy = used;
	return OVERLAY_FOUND;
}

/* -- making */

static int write_new(struct overlay *o, const struct overlay_head *head, struct verr *e)
{
	uint8_t page[OVERLAY_PAGE];
	uint64_t len;

	if (prepare(o, head->size, e) < 0)
		return -1;
	len = o->data_at + o->pages * OVERLAY_PAGE;
	overlay_put_head(page, head);
	if (ftruncate(o->fd, (off_t)len) < 0)
		return verr_invalid_os(e, "make a file of %llu bytes (sparse)",
				       (unsigned long long)len);
	if (file_pwrite(o->fd, "it", page, sizeof(page), 0, e) < 0)
		return -1;
	return file_sync(o->fd, "it", e);
}

/* Without a name, so that nothing is left of it when we are killed; where the file system cannot do
 * that, under one that nobody else has, `*beside`. */
static int open_new(const struct overlay_place *place, char **beside, struct verr *e)
{
	int fd = openat(place->folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	uint64_t number;

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
		return fd < 0 ? verr_invalid_os(e, "cannot make %s", place->name) : fd;
	if (file_random(&number, e) < 0)
		return -1;
	if (asprintf(beside, "%s.%016llx.new", place->name, (unsigned long long)number) < 0) {
		*beside = NULL;
		return verr_host(e, "out of memory");
	}
	fd = openat(place->folder, *beside, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		(void)verr_invalid_os(e, "cannot make %s", *beside);
		free(*beside);
		*beside = NULL;
	}
	return fd;
}

/* A link never takes the place of something. Some file systems have no links, others cannot promise
 * that of a rename. */
static int give_name(const struct overlay *o, const struct overlay_place *place, const char *beside)
{
	char self[32];
	int r;

	if (beside == NULL) {
		(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", o->fd);
		return linkat(AT_FDCWD, self, place->folder, place->name, AT_SYMLINK_FOLLOW);
	}
	r = renameat2(place->folder, beside, place->folder, place->name, RENAME_NOREPLACE);
	if (r < 0 && errno == EINVAL) {
		r = linkat(place->folder, beside, place->folder, place->name, 0);
		if (r == 0)
			(void)unlinkat(place->folder, beside, 0);
	}
	return r;
}

/* Under its name when it is whole, unless something is called so. */
static enum overlay_found publish(const struct overlay *o, const struct overlay_place *place,
				  const char *beside, struct verr *e)
{
	if (give_name(o, place, beside) == 0)
		return file_sync(place->folder, "its folder", e) < 0 ? OVERLAY_FAULT
								     : OVERLAY_FOUND;
	if (errno == EEXIST)
		return OVERLAY_MISSING;
	(void)verr_os(e, "name it %s", place->name);
	return OVERLAY_FAULT;
}

enum overlay_found overlay_make(struct overlay *o, const struct overlay_place *place,
				const struct overlay_head *head, struct verr *e)
{
	enum overlay_found r = OVERLAY_FAULT;
	auto_free char *beside = NULL;

	*o = (struct overlay)OVERLAY_INIT;
	o->fd = open_new(place, &beside, e);
	if (o->fd < 0)
		return OVERLAY_FAULT;
	/* Before anybody can find it. */
	if (file_lock(o->fd, "it", LOCK_EX | LOCK_NB, e) == FILE_LOCKED &&
	    write_new(o, head, e) == 0)
		r = publish(o, place, beside, e);
	if (r != OVERLAY_FOUND && beside != NULL)
		(void)unlinkat(place->folder, beside, 0);
	o->made = r == OVERLAY_FOUND;
	if (r != OVERLAY_FOUND)
		overlay_close(o);
	return r;
}

int overlay_temporary(struct overlay *o, uint64_t size, struct verr *e)
{
	const char *folder = getenv("TMPDIR");

	if (folder == NULL || *folder == '\0')
		folder = "/var/tmp";
	*o = (struct overlay)OVERLAY_INIT;
	o->passing = true;
	o->fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (o->fd < 0)
		return verr_invalid_os(e, "make a temporary file in %s (TMPDIR says where)",
				       folder);
	if (prepare(o, size, e) < 0)
		return -1;
	/* There are no maps in it. */
	o->data_at = 0;
	return ftruncate(o->fd, (off_t)(o->pages * OVERLAY_PAGE)) < 0
		       ? verr_invalid_os(e, "make a sparse file of %llu bytes",
					 (unsigned long long)size)
		       : 0;
}
