/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/devices/block/private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/copy.h"
#include "base/own.h"
#include "base/sys.h"
#include "vmm/devices/block/file.h"

#define PAGE 4096ULL
#define LOCKS 64
#define PIECES 64 /* buffers of one call */

struct disk_private {
	struct disk_medium medium; /* first */
	struct disk_file base;     /* read-only */
	int fd;                    /* pages that were written, each at its place */
	uint64_t pages;
	_Atomic uint64_t *here;       /* by page: it is in `fd` */
	pthread_mutex_t locks[LOCKS]; /* who copies the rest of a page holds one */
};

static bool is_here(const struct disk_private *d, uint64_t page)
{
	return atomic_load(&d->here[page / 64]) >> page % 64 & 1;
}

static void set_here(struct disk_private *d, uint64_t offset, uint64_t len)
{
	for (uint64_t page = offset / PAGE; page * PAGE < offset + len; page++)
		atomic_fetch_or(&d->here[page / 64], 1ULL << page % 64);
}

/* How many bytes from `offset` on, at most `len`, are in the same place. */
static uint64_t run_of(const struct disk_private *d, uint64_t offset, uint64_t len, bool *here)
{
	uint64_t page = offset / PAGE, end = (offset + len - 1) / PAGE;

	*here = is_here(d, page);
	while (page < end && is_here(d, page + 1) == *here)
		page++;
	return MIN(len, (page + 1) * PAGE - offset);
}

/* Read or write the next `len` bytes of an operation; 0 or an errno. */
static int move(int fd, struct disk_io *io, uint64_t len)
{
	struct iovec pieces[PIECES];
	ssize_t n;

	while (len > 0) {
		uint64_t sum = 0;
		int count = 0;

		for (; sum < len && count < PIECES && (uint32_t)count < io->niov; count++) {
			pieces[count] = io->iov[count];
			pieces[count].iov_len = MIN(pieces[count].iov_len, len - sum);
			sum += pieces[count].iov_len;
		}
		n = io->op == DISK_READ ? preadv2(fd, pieces, count, (off_t)io->offset, 0)
					: pwritev2(fd, pieces, count, (off_t)io->offset, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? errno : EIO;
		disk_io_advance(io, (uint64_t)n);
		len -= (uint64_t)n;
	}
	return 0;
}

static int do_read(const struct disk_private *d, struct disk_io *io)
{
	int error = 0;

	while (io->len > 0 && error == 0) {
		bool here;
		uint64_t len = run_of(d, io->offset, io->len, &here);

		error = move(here ? d->fd : d->base.fd, io, len);
	}
	return error;
}

/* Bring a page that is not here: with the part that is about to be written, all of it is. */
static int fetch(struct disk_private *d, uint64_t page)
{
	uint8_t bytes[PAGE];
	struct iovec iov = {.iov_base = bytes, .iov_len = MIN(PAGE, d->medium.size - page * PAGE)};
	struct disk_io io = {
		.op = DISK_READ, .offset = page * PAGE, .len = iov.iov_len, .iov = &iov, .niov = 1};
	int error = move(d->base.fd, &io, io.len);

	if (error != 0)
		return error;
	iov = (struct iovec){.iov_base = bytes, .iov_len = MIN(PAGE, d->medium.size - page * PAGE)};
	io = (struct disk_io){.op = DISK_WRITE,
			      .offset = page * PAGE,
			      .len = iov.iov_len,
			      .iov = &iov,
			      .niov = 1};
	return move(d->fd, &io, io.len);
}

static int punch(const struct disk_private *d, struct disk_io *io, uint64_t len)
{
	int r;

	do
		r = fallocate(d->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)io->offset,
			      (off_t)len);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return errno;
	io->offset += len;
	io->len -= len;
	return 0;
}

static int change_part(struct disk_private *d, struct disk_io *io, uint64_t len)
{
	uint64_t offset = io->offset, page = offset / PAGE;
	pthread_mutex_t *lock = &d->locks[page % LOCKS];
	int error = 0;

	(void)pthread_mutex_lock(lock);
	if (!is_here(d, page))
		error = fetch(d, page);
	if (error == 0)
		error = io->op == DISK_WRITE ? move(d->fd, io, len) : punch(d, io, len);
	if (error == 0)
		set_here(d, offset, len);
	(void)pthread_mutex_unlock(lock);
	return error;
}

static int change_whole(struct disk_private *d, struct disk_io *io, uint64_t len)
{
	uint64_t offset = io->offset;
	int error = io->op == DISK_WRITE ? move(d->fd, io, len) : punch(d, io, len);

	if (error == 0)
		set_here(d, offset, len);
	return error;
}

/* Write, or make zero. */
static int change(struct disk_private *d, struct disk_io *io)
{
	int error = 0;

	while (io->len > 0 && error == 0) {
		uint64_t past = io->offset % PAGE;

		if (past != 0 || io->len < PAGE)
			error = change_part(d, io, MIN(io->len, PAGE - past));
		else
			error = change_whole(d, io, io->len - io->len % PAGE);
	}
	return error;
}

static int run(struct disk_medium *medium, struct disk_io *io)
{
	struct disk_private *d = (struct disk_private *)medium;

	switch (io->op) {
	case DISK_READ:
		return do_read(d, io);
	case DISK_FLUSH:
		break; /* nobody will want it back */
	case DISK_WRITE:
	case DISK_DISCARD:
	case DISK_WRITE_ZEROES:
		return change(d, io);
	}
	return 0;
}

static bool read_now(struct disk_medium *medium, const struct disk_io *io)
{
	const struct disk_private *d = (const struct disk_private *)medium;
	bool here;
	ssize_t n;

	if (run_of(d, io->offset, io->len, &here) != io->len)
		return false;
	n = preadv2(here ? d->fd : d->base.fd, io->iov, (int)io->niov, (off_t)io->offset,
		    RWF_NOWAIT);
	return n >= 0 && (uint64_t)n == io->len;
}

static int save(struct disk_medium *medium, int fd, const atomic_bool *end, struct verr *e)
{
	const struct disk_private *d = (const struct disk_private *)medium;
	uint64_t len;
	bool here;

	if (copy_file(d->base.fd, fd, d->medium.size, end, e) < 0)
		return -1;
	for (uint64_t at = 0; at < d->medium.size; at += len) {
		len = run_of(d, at, d->medium.size - at, &here);
		if (here && copy_range(d->fd, fd, at, len, end, e) < 0)
			return -1;
	}
	return 0;
}

static const struct disk_medium_class private_class = {
	.run = run, .read_now = read_now, .save = save};

/* Not every file system has files without names: overlayfs has them since Linux 6.6. */
static int open_temporary(const char *folder)
{
	char path[PATH_MAX];
	int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR) ||
	    (size_t)snprintf(path, sizeof(path), "%s/volt-disk.XXXXXX", folder) >= sizeof(path))
		return fd;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		(void)unlink(path);
	return fd;
}

static int make_temporary(struct disk_private *d, struct verr *e)
{
	const char *folder = sys_temporary_folder();

	d->fd = open_temporary(folder);
	if (d->fd < 0)
		return verr_invalid_os(e, "make a temporary file in %s (" SYS_TEMPORARY_HINT ")",
				       folder);
	if (ftruncate(d->fd, (off_t)d->medium.size) < 0)
		return verr_os(e, "a temporary file in %s", folder);
	return 0;
}

int disk_private_open(const char *path, struct disk_private **out, struct verr *e)
{
	struct disk_private *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return verr_host(e, "out of memory");
	d->fd = -1;
	d->base = (struct disk_file)DISK_FILE_INIT;
	for (size_t i = 0; i < LOCKS; i++)
		(void)pthread_mutex_init(&d->locks[i], NULL);
	if (disk_file_open(path, true, &d->base, e) < 0) {
		(void)disk_private_close(d);
		return -1;
	}
	d->medium = d->base.medium;
	d->medium.class = &private_class;
	d->medium.readonly = false;
	d->medium.discard = d->medium.write_zeroes = true;
	d->medium.physical = PAGE;
	d->pages = (d->medium.size + PAGE - 1) / PAGE;
	d->here = calloc((size_t)(d->pages / 64 + 1), sizeof(*d->here));
	if (d->here == NULL || make_temporary(d, e) < 0) {
		if (d->here == NULL)
			(void)verr_host(e, "out of memory");
		(void)disk_private_close(d);
		return -1;
	}
	*out = d;
	return 0;
}

struct disk_private *disk_private_close(struct disk_private *d)
{
	if (d == NULL)
		return NULL;
	disk_file_close(&d->base);
	fd_close(&d->fd);
	for (size_t i = 0; i < LOCKS; i++)
		(void)pthread_mutex_destroy(&d->locks[i]);
	free(d->here);
	free(d);
	return NULL;
}

struct disk_medium *disk_private_medium(struct disk_private *d)
{
	return &d->medium;
}
