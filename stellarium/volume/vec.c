/* SPDX-License-Identifier: Apache-2.0 */
#include "stellarium/volume/vec.h"

#include <errno.h>
#include <string.h>

#define PARTS 64 /* buffers in one call */

static void skip(struct vec *v)
{
	v->iov++;
	v->count--;
	v->used = 0;
}

/* The first bytes that are left; there are some. */
static uint8_t *front(struct vec *v, size_t *len)
{
	while (v->count > 1 && v->used == v->iov->iov_len)
		skip(v);
	*len = v->iov->iov_len - v->used;
	return (uint8_t *)v->iov->iov_base + v->used;
}

static void advance(struct vec *v, size_t len)
{
	while (len > 0) {
		size_t part = MIN(len, v->iov->iov_len - v->used);

		v->used += part;
		len -= part;
		if (len > 0 && v->count > 1)
			skip(v);
	}
}

void vec_put(struct vec *v, const uint8_t *from, size_t len)
{
	while (len > 0) {
		size_t part;
		uint8_t *at = front(v, &part);

		part = MIN(part, len);
		memcpy(at, from, part);
		from += part;
		len -= part;
		advance(v, part);
	}
}

void vec_put_zeros(struct vec *v, size_t len)
{
	while (len > 0) {
		size_t part;
		uint8_t *at = front(v, &part);

		part = MIN(part, len);
		memset(at, 0, part);
		len -= part;
		advance(v, part);
	}
}

void vec_take(struct vec *v, uint8_t *to, size_t len)
{
	while (len > 0) {
		size_t part;
		const uint8_t *at = front(v, &part);

		part = MIN(part, len);
		memcpy(to, at, part);
		to += part;
		len -= part;
		advance(v, part);
	}
}

/* The first buffers, up to `len` bytes of them. */
static int gather(const struct vec *v, size_t len, struct iovec out[PARTS])
{
	struct vec rest = *v;
	int n = 0;

	while (len > 0 && n < PARTS) {
		size_t part;
		uint8_t *at = front(&rest, &part);

		part = MIN(part, len);
		out[n++] = (struct iovec){.iov_base = at, .iov_len = part};
		len -= part;
		rest.used += part;
	}
	return n;
}

static int move(struct vec *v, int fd, uint64_t offset, size_t len, bool write, int flags)
{
	struct iovec parts[PARTS];

	while (len > 0) {
		int count = gather(v, len, parts);
		ssize_t n = write ? pwritev2(fd, parts, count, (off_t)offset, flags)
				  : preadv2(fd, parts, count, (off_t)offset, flags);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		if (n == 0)
			return EIO;
		advance(v, (size_t)n);
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int vec_read(struct vec *v, int fd, uint64_t offset, size_t len, int flags)
{
	return move(v, fd, offset, len, false, flags);
}

int vec_write(struct vec *v, int fd, uint64_t offset, size_t len)
{
	return move(v, fd, offset, len, true, 0);
}

int vec_read_one(int fd, void *out, size_t len, uint64_t offset)
{
	struct iovec iov = {.iov_base = out, .iov_len = len};
	struct vec v = {.iov = &iov, .count = 1};

	return vec_read(&v, fd, offset, len, 0);
}

int vec_write_one(int fd, const void *bytes, size_t len, uint64_t offset)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = len};
	struct vec v = {.iov = &iov, .count = 1};

	return vec_write(&v, fd, offset, len);
}
