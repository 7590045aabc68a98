/* SPDX-License-Identifier: Apache-2.0 */
#include "base/copy.h"

#include <linux/fs.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/own.h"

#define PIECE KIB(256)
#define KERNEL_PIECE MIB(32) /* that the kernel copies at once: nothing ends it meanwhile */
#define PAGE 4096U

bool copy_is_zero(const void *bytes, uint64_t len)
{
	const uint64_t *words = bytes;
	uint64_t any = 0;

	for (uint64_t i = 0; i < len / sizeof(*words) && any == 0;) {
		uint64_t end = MIN(i + 64, len / sizeof(*words));

		for (; i < end; i++)
			any |= words[i];
	}
	return any == 0;
}

int copy_put(int fd, const void *bytes, uint64_t len, uint64_t offset, struct verr *e)
{
	const char *from = bytes;

	while (len > 0) {
		ssize_t n = pwrite(fd, from, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return verr_os(e, "write %llu bytes at %llu", (unsigned long long)len,
				       (unsigned long long)offset);
		from += n;
		offset += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}

static int check(const atomic_bool *end, struct verr *e)
{
	return end != NULL && atomic_load(end) ? verr_state(e, "interrupted") : 0;
}

/* Read and written; what is zero stays a hole where there is one. `len` is not 0. */
static int by_hand(int from, int to, uint64_t offset, uint64_t len, bool holes,
		   const atomic_bool *end, struct verr *e)
{
	auto_free uint64_t *piece = malloc(PIECE);

	if (piece == NULL)
		return verr_host(e, "out of memory");
	do {
		ssize_t n = pread(from, piece, MIN(len, PIECE), (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? verr_os(e, "read at %llu", (unsigned long long)offset)
				     : verr_host(e, "the file ends at %llu",
						 (unsigned long long)offset);
		if ((!holes || n % 8 != 0 || !copy_is_zero(piece, (uint64_t)n)) &&
		    copy_put(to, piece, (uint64_t)n, offset, e) < 0)
			return -1;
		if (check(end, e) < 0)
			return -1;
		offset += (uint64_t)n;
		len -= (uint64_t)n;
	} while (len > 0);
	return 0;
}

int copy_range(int from, int to, uint64_t offset, uint64_t len, const atomic_bool *end,
	       struct verr *e)
{
	while (len > 0) {
		off_t in = (off_t)offset, out = (off_t)offset;
		ssize_t n;

		if (check(end, e) < 0)
			return -1;
		n = copy_file_range(from, &in, to, &out, MIN(len, KERNEL_PIECE), 0);
		if (n < 0 && errno == EINTR)
			continue;
		/* Two file systems, or one that cannot. */
		if (n <= 0 && (n == 0 || errno == EXDEV || errno == EINVAL || errno == ENOSYS ||
			       errno == EOPNOTSUPP || errno == EBADF))
			return by_hand(from, to, offset, len, false, end, e);
		if (n < 0)
			return verr_os(e, "copy %llu bytes at %llu", (unsigned long long)len,
				       (unsigned long long)offset);
		offset += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}

int copy_file(int from, int to, uint64_t size, const atomic_bool *end, struct verr *e)
{
	uint64_t at = 0;

	if (ioctl(to, FICLONE, from) == 0)
		return ftruncate(to, (off_t)size) < 0 ? verr_os(e, "set a file's size") : 0;
	if (ftruncate(to, (off_t)size) < 0)
		return verr_os(e, "set a file's size");
	while (at < size) {
		off_t data = lseek(from, (off_t)at, SEEK_DATA), hole;

		if (data < 0 && errno == ENXIO)
			return 0;
		hole = data < 0 ? -1 : lseek(from, data, SEEK_HOLE);
		if (hole < 0) /* a device, which has none */
			return by_hand(from, to, at, size - at, true, end, e);
		if ((uint64_t)data >= size)
			return 0;
		at = MIN((uint64_t)hole, size);
		if (copy_range(from, to, (uint64_t)data, at - (uint64_t)data, end, e) < 0)
			return -1;
	}
	return 0;
}
