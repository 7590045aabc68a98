/* SPDX-License-Identifier: Apache-2.0 */
#include "stellarium/store/lease.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "stellarium/chunk/cut.h"
#include "stellarium/chunk/hash.h"
#include "stellarium/store/file.h"

/* A file is records of 64 bytes, so none crosses a page: a reader sees one whole or not at all.
 * The first is the seal; then u32 tag, 4 bytes, 32 bytes of what is pinned, 16, u64 XXH3. */
#define RECORD 64
#define TAG_PACK 1
#define TAG_IMAGE 2
#define TRIES 100

static const char magic[8] = {'S', 'T', 'E', 'L', 'L', 'E', 'A', 'S'};

static int compare_packs(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static bool has_pack(const uint64_t *packs, size_t count, uint64_t pack)
{
	return count > 0 && bsearch(&pack, packs, count, sizeof(*packs), compare_packs) != NULL;
}

/* One that found the file before it was locked, and took it for a dead one's, has removed it. */
static int try_take(struct lease *l, bool *taken, struct verr *e)
{
	uint64_t number;
	struct stat st;

	*taken = false;
	if (file_random(&number, e) < 0)
		return -1;
	(void)snprintf(l->name, sizeof(l->name), "%016llx", (unsigned long long)number);
	l->fd = openat(l->folder, l->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (l->fd < 0)
		return verr_os(e, "make a lease");
	switch (file_lock(l->fd, "a lease", LOCK_EX | LOCK_NB, e)) {
	case FILE_FAULT:
		return -1;
	case FILE_BUSY:
		break;
	case FILE_LOCKED:
		if (fstat(l->fd, &st) < 0)
			return verr_os(e, "a lease");
		*taken = st.st_nlink > 0;
		break;
	}
	if (!*taken)
		fd_close(&l->fd);
	return 0;
}

int lease_take(struct lease *l, int folder, const struct seal_store *store, struct verr *e)
{
	uint8_t head[RECORD] = {0};
	bool taken = false;

	*l = (struct lease)LEASE_INIT;
	l->folder = folder;
	for (int i = 0; i < TRIES && !taken; i++)
		if (try_take(l, &taken, e) < 0)
			return -1;
	if (!taken)
		return verr_state(e, "a lease: somebody removes them as fast as they are made");
	seal_put(head, magic, store, bytes_of(head, 0));
	l->end = RECORD;
	return file_pwrite(l->fd, "a lease", head, sizeof(head), 0, e);
}

void lease_drop(struct lease *l)
{
	if (l->fd >= 0)
		(void)unlinkat(l->folder, l->name, 0);
	fd_close(&l->fd);
	free(l->packs);
	l->packs = NULL;
	l->count = l->room = 0;
}

bool lease_has_pack(const struct lease *l, uint64_t pack)
{
	return has_pack(l->packs, l->count, pack);
}

static int append(struct lease *l, uint32_t tag, const void *what, size_t len, struct verr *e)
{
	uint8_t record[RECORD] = {0};

	put_le32(record, tag);
	memcpy(record + 8, what, len);
	put_le64(record + 56, chunk_checksum(record, 56));
	if (file_pwrite(l->fd, "a lease", record, sizeof(record), l->end, e) < 0)
		return -1;
	l->end += RECORD;
	return 0;
}

int lease_pin_pack(struct lease *l, uint64_t pack, struct verr *e)
{
	size_t room = MAX(l->room, (size_t)16), at = l->count;
	uint64_t *packs = l->packs;
	uint8_t number[8];

	if (lease_has_pack(l, pack))
		return 0;
	if (l->count == l->room) {
		room = 2 * room;
		packs = realloc(packs, room * sizeof(*packs));
		if (packs == NULL)
			return verr_host(e, "out of memory");
		l->packs = packs;
		l->room = room;
	}
	put_le64(number, pack);
	if (append(l, TAG_PACK, number, sizeof(number), e) < 0)
		return -1;
	for (; at > 0 && packs[at - 1] > pack; at--)
		packs[at] = packs[at - 1];
	packs[at] = pack;
	l->count++;
	return 0;
}

void lease_forget_pack(struct lease *l, uint64_t pack)
{
	size_t at = 0;

	while (at < l->count && l->packs[at] != pack)
		at++;
	if (at == l->count)
		return;
	l->count--;
	for (; at < l->count; at++)
		l->packs[at] = l->packs[at + 1];
}

int lease_pin_image(struct lease *l, const struct stel_id *id, struct verr *e)
{
	return append(l, TAG_IMAGE, id->bytes, sizeof(id->bytes), e);
}

static int add_pin(struct lease_pins *p, const uint8_t *record, const char *name, struct verr *e)
{
	uint64_t *packs;
	struct stel_id *images;

	if (le64(record + 56) != chunk_checksum(record, 56))
		return verr_corrupt(e, "leases/%s is damaged", name);
	switch (le32(record)) {
	case TAG_PACK:
		packs = realloc(p->packs, (p->packs_count + 1) * sizeof(*packs));
		if (packs == NULL)
			return verr_host(e, "out of memory");
		p->packs = packs;
		packs[p->packs_count++] = le64(record + 8);
		return 0;
	case TAG_IMAGE:
		images = realloc(p->images, (p->images_count + 1) * sizeof(*images));
		if (images == NULL)
			return verr_host(e, "out of memory");
		p->images = images;
		memcpy(images[p->images_count++].bytes, record + 8, STEL_ID_BYTES);
		return 0;
	default:
		return verr_corrupt(e, "leases/%s: it pins what this program does not know", name);
	}
}

static int read_pins(struct lease_pins *p, int fd, const char *name, const struct seal_store *store,
		     struct verr *e)
{
	uint8_t record[RECORD];
	struct bytes body;
	size_t got;

	for (uint64_t at = 0;; at += RECORD) {
		if (file_pread(fd, name, record, sizeof(record), at, &got, e) < 0)
			return -1;
		if (got < RECORD)
			return 0; /* taken a moment ago, when at is 0: nothing relies on it */
		if (at == 0) {
			if (seal_get(bytes_of(record, got), magic, store, &body, e) < 0)
				return verr_note(e, "leases/%s", name);
		} else if (add_pin(p, record, name, e) < 0) {
			return -1;
		}
	}
}

static int read_lease(struct lease_pins *p, int folder, const char *name,
		      const struct seal_store *store, struct verr *e)
{
	auto_fd fd = openat(folder, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? 0 : verr_os(e, "open leases/%s", name);
	switch (file_lock(fd, "a lease", LOCK_SH | LOCK_NB, e)) {
	case FILE_FAULT:
		return -1;
	case FILE_BUSY:
		return read_pins(p, fd, name, store, e);
	case FILE_LOCKED:
		if (unlinkat(folder, name, 0) < 0 && errno != ENOENT)
			return verr_os(e, "remove leases/%s", name);
		break;
	}
	return 0;
}

int lease_pins_read(struct lease_pins *out, int folder, const struct seal_store *store,
		    struct verr *e)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	*out = (struct lease_pins){0};
	if (dir == NULL) {
		(void)verr_os(e, "open leases");
		fd_close(&fd);
		return -1;
	}
	while (r == 0 && (entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			r = read_lease(out, folder, entry->d_name, store, e);
	(void)closedir(dir);
	if (out->packs_count > 0)
		qsort(out->packs, out->packs_count, sizeof(*out->packs), compare_packs);
	return r;
}

#define TIDY 4 /* files that are looked at */

/* Each name of the folder is chosen with the same chance; false: the folder cannot be read. */
static bool choose_names(int folder, char chosen[TIDY][32])
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct verr none = VERR_INIT;
	struct dirent *entry;
	uint64_t random, count = 0;

	if (dir == NULL) {
		fd_close(&fd);
		return false;
	}
	if (file_random(&random, &none) < 0)
		random = 1;
	while ((entry = readdir(dir)) != NULL) {
		uint64_t place = count;

		if (entry->d_name[0] == '.' || strlen(entry->d_name) >= sizeof(chosen[0]))
			continue;
		random = random * 6364136223846793005 + 1442695040888963407;
		if (count++ >= TIDY)
			place = (random >> 33) % count;
		if (place < TIDY)
			(void)snprintf(chosen[place], sizeof(chosen[0]), "%s", entry->d_name);
	}
	(void)closedir(dir);
	return true;
}

void lease_tidy(int folder)
{
	char chosen[TIDY][32] = {{0}};

	if (!choose_names(folder, chosen))
		return;
	for (size_t i = 0; i < TIDY && chosen[i][0] != '\0'; i++) {
		auto_fd fd = openat(folder, chosen[i], O_RDONLY | O_CLOEXEC);

		if (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) == 0)
			(void)unlinkat(folder, chosen[i], 0);
	}
}

bool lease_pins_have_pack(const struct lease_pins *p, uint64_t pack)
{
	return has_pack(p->packs, p->packs_count, pack);
}

void lease_pins_deinit(struct lease_pins *p)
{
	free(p->packs);
	free(p->images);
	*p = (struct lease_pins){0};
}
