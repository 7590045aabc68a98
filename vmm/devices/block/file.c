/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/devices/block/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/copy.h"
#include "base/log.h"
#include "base/own.h"
#include "base/owner.h"

#define SECTOR 512ULL
#define PAGE 4096U

/*
 * The kernel lets go of a file some milliseconds after its process has ended, when a ring of
 * io_uring held it.
 */
#define LOCK_TRIES 20
#define LOCK_PAUSE_US 10000

static int try_lock(int fd, bool readonly)
{
	int r = -1;

	for (int i = 0; i < LOCK_TRIES && r < 0; i++) {
		if (i > 0)
			(void)usleep(LOCK_PAUSE_US);
		r = flock(fd, (readonly ? LOCK_SH : LOCK_EX) | LOCK_NB);
		if (r < 0 && errno != EWOULDBLOCK)
			break;
	}
	return r;
}

static int lock(int fd, const char *path, bool readonly, bool look, struct verr *e)
{
	char owner[LOCK_OWNER_MAX] = "";

	if (try_lock(fd, readonly) == 0)
		return 0;
	/* A file system without locks protects nobody, and must not keep anybody out. */
	if (errno != EWOULDBLOCK) {
		log_warn(LOG_BLOCK, "%s: cannot be locked against other machines: %s", path,
			 strerror(errno));
		return 0;
	}
	if (look)
		lock_owner(fd, owner);
	return verr_invalid(e,
			    "%s: in use%s%s; a disk that is written to belongs to one machine: "
			    "end it, or use a copy, or readonly=on in both",
			    path, *owner != '\0' ? " by " : "", owner);
}

/* Does the file system know this mode? Asked behind the end of the file, where it does nothing. */
static bool can_fallocate(const struct disk_file *f, int mode)
{
	return fallocate(f->fd, mode | FALLOC_FL_KEEP_SIZE, (off_t)f->medium.size, PAGE) == 0;
}

static int inspect_device(struct disk_file *f, const char *path, struct verr *e)
{
	unsigned physical = 0;

	if (ioctl(f->fd, BLKGETSIZE64, &f->medium.size) < 0)
		return verr_os(e, "size of %s", path);
	if (ioctl(f->fd, BLKPBSZGET, &physical) == 0 && physical >= SECTOR)
		f->medium.physical = physical;
	/* Whether the device can is found when a guest tries: an error tells it to stop. */
	f->medium.discard = f->medium.write_zeroes = !f->medium.readonly;
	return 0;
}

static int inspect(struct disk_file *f, const char *path, struct verr *e)
{
	struct stat st;

	if (fstat(f->fd, &st) < 0)
		return verr_os(e, "stat %s", path);
	f->medium.physical = PAGE;
	if (S_ISBLK(st.st_mode)) {
		if (inspect_device(f, path, e) < 0)
			return -1;
	} else if (S_ISREG(st.st_mode)) {
		f->medium.size = (uint64_t)st.st_size;
		f->medium.discard = !f->medium.readonly && can_fallocate(f, FALLOC_FL_PUNCH_HOLE);
		f->medium.write_zeroes =
			f->medium.discard && can_fallocate(f, FALLOC_FL_ZERO_RANGE);
	} else {
		return verr_invalid(e, "%s: expected a regular file or a block device", path);
	}
	if (f->medium.size % SECTOR != 0)
		log_warn(LOG_BLOCK, "%s: the last %llu bytes are no whole sector and are left out",
			 path, (unsigned long long)(f->medium.size % SECTOR));
	f->medium.size -= f->medium.size % SECTOR;
	return 0;
}

void disk_io_advance(struct disk_io *io, uint64_t len)
{
	io->offset += len;
	io->len -= len;
	while (len > 0) {
		uint64_t part = MIN(len, io->iov->iov_len);

		io->iov->iov_base = (char *)io->iov->iov_base + part;
		io->iov->iov_len -= part;
		len -= part;
		if (io->iov->iov_len == 0) {
			io->iov++;
			io->niov--;
		}
	}
}

int disk_io_fallocate_mode(const struct disk_io *io)
{
	bool punch = io->op == DISK_DISCARD || io->unmap;

	return (punch ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE) | FALLOC_FL_KEEP_SIZE;
}

static int transfer(const struct disk_file *f, struct disk_io *io)
{
	int flags = io->durable ? RWF_DSYNC : 0;
	ssize_t n;

	while (io->len > 0) {
		if (io->op == DISK_READ)
			n = preadv2(f->fd, io->iov, (int)io->niov, (off_t)io->offset, 0);
		else
			n = pwritev2(f->fd, io->iov, (int)io->niov, (off_t)io->offset, flags);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		/* The file has become shorter than the disk. */
		if (n == 0)
			return EIO;
		disk_io_advance(io, (uint64_t)n);
	}
	return 0;
}

static int run(struct disk_medium *medium, struct disk_io *io)
{
	const struct disk_file *f = (const struct disk_file *)medium;
	int r = 0;

	switch (io->op) {
	case DISK_READ:
	case DISK_WRITE:
		return transfer(f, io);
	case DISK_FLUSH:
		r = fdatasync(f->fd);
		break;
	case DISK_DISCARD:
	case DISK_WRITE_ZEROES:
		do
			r = fallocate(f->fd, disk_io_fallocate_mode(io), (off_t)io->offset,
				      (off_t)io->len);
		while (r < 0 && errno == EINTR);
		break;
	}
	return r < 0 ? errno : 0;
}

static bool read_now(struct disk_medium *medium, const struct disk_io *io)
{
	const struct disk_file *f = (const struct disk_file *)medium;
	ssize_t n = preadv2(f->fd, io->iov, (int)io->niov, (off_t)io->offset, RWF_NOWAIT);

	return n >= 0 && (uint64_t)n == io->len;
}

static int save(struct disk_medium *medium, int fd, const atomic_bool *end, struct verr *e)
{
	return copy_file(((const struct disk_file *)medium)->fd, fd, medium->size, end, e);
}

static const struct disk_medium_class file_class = {.run = run, .read_now = read_now, .save = save};

/* `look`: who has it locked may be looked up. */
static int take(int descriptor, const char *path, bool readonly, bool look, struct disk_file *out,
		struct verr *e)
{
	auto_fd fd = descriptor;
	struct disk_file f = {.medium = {.class = &file_class, .readonly = readonly}, .fd = fd};

	if (inspect(&f, path, e) < 0 || lock(fd, path, readonly, look, e) < 0)
		return -1;
	(void)fcntl(fd, F_SETFL, 0);
	f.fd = fd_take(&fd);
	*out = f;
	return 0;
}

int disk_file_open(const char *path, bool readonly, struct disk_file *out, struct verr *e)
{
	/* Not blocking: a FIFO must be refused, not waited for. */
	int fd = open(path, DISK_FILE_FLAGS(readonly));

	if (fd < 0 && !readonly && (errno == EACCES || errno == EROFS || errno == EPERM))
		return verr_invalid_os(e, "cannot write to %s (readonly=on needs no right to)",
				       path);
	if (fd < 0)
		return verr_invalid_os(e, "cannot open %s", path);
	return take(fd, path, readonly, true, out, e);
}

static bool is_same(int a, int b)
{
	struct stat sa, sb;

	return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
	       sa.st_ino == sb.st_ino;
}

int disk_file_reopen(const struct disk_file *f, int descriptor, const char *path,
		     struct disk_file *out, struct verr *e)
{
	auto_fd fd = descriptor;

	/* In a sandbox nobody can be looked up. */
	if (fd >= 0 && !is_same(f->fd, fd))
		return take(fd_take(&fd), path, f->medium.readonly, false, out, e);
	/* What this machine has locked it cannot lock again. */
	*out = *f;
	return inspect(out, path, e);
}

void disk_file_close(struct disk_file *f)
{
	/* Nothing is in flight: whoever waits for the disk need not wait for the kernel, too. */
	if (f->fd >= 0)
		(void)flock(f->fd, LOCK_UN);
	fd_close(&f->fd);
}
