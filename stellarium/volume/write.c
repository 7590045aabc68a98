/* SPDX-License-Identifier: Apache-2.0 */
/* Writing a volume. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "stellarium/volume/volume.h"

static int raise(struct verr *e, int error, const char *what, uint64_t offset)
{
	errno = error;
	return verr_os(e, "the overlay: %s at byte %llu", what, (unsigned long long)offset);
}

static uint64_t file_offset(const struct stel_volume *v, uint64_t offset)
{
	return overlay_at(&v->overlay, offset);
}

/* How much of the page at `offset`, the last one may be shorter, the disk has. */
static uint64_t page_len(const struct stel_volume *v, uint64_t page)
{
	return MIN(OVERLAY_PAGE, v->source.size - page * OVERLAY_PAGE);
}

/* What a page that is not in the overlay reads as. */
static int read_page(struct stel_volume *v, uint64_t page, enum overlay_state state,
		     uint8_t out[OVERLAY_PAGE], struct verr *e)
{
	struct iovec iov = {.iov_base = out, .iov_len = OVERLAY_PAGE};
	struct vec to = {.iov = &iov, .count = 1};

	memset(out, 0, OVERLAY_PAGE);
	if (state == OVERLAY_ZERO)
		return 0;
	return volume_read_image(v, &to, page * OVERLAY_PAGE, page_len(v, page), false, e) != 0 ? -1
												: 0;
}

/* A part of a page. `from` NULL: zeros. */
static int write_part(struct stel_volume *v, struct vec *from, uint64_t offset, uint64_t len,
		      struct verr *e)
{
	uint64_t page = offset / OVERLAY_PAGE, past = offset % OVERLAY_PAGE;
	pthread_mutex_t *lock = &v->pages[page % VOLUME_LOCKS];
	uint8_t bytes[OVERLAY_PAGE];
	enum overlay_state state;
	int error, r = -1;

	(void)pthread_mutex_lock(lock);
	state = overlay_state(&v->overlay, page);
	if (state == OVERLAY_DATA && from != NULL) {
		error = vec_write(from, v->overlay.fd, file_offset(v, offset), (size_t)len);
		r = error == 0 ? 0 : raise(e, error, "write", offset);
	} else if (state == OVERLAY_DATA) {
		memset(bytes, 0, sizeof(bytes));
		error = vec_write_one(v->overlay.fd, bytes, (size_t)len, file_offset(v, offset));
		r = error == 0 ? 0 : raise(e, error, "write", offset);
	} else if (read_page(v, page, state, bytes, e) == 0) {
		if (from != NULL)
			vec_take(from, bytes + past, (size_t)len);
		else
			memset(bytes + past, 0, (size_t)len);
		error = vec_write_one(v->overlay.fd, bytes, sizeof(bytes),
				      file_offset(v, page * OVERLAY_PAGE));
		if (error == 0)
			overlay_set(&v->overlay, page, 1, OVERLAY_DATA);
		r = error == 0 ? 0 : raise(e, error, "write", offset);
	}
	(void)pthread_mutex_unlock(lock);
	return r;
}

/* Whole pages. */
static int write_pages(struct stel_volume *v, struct vec *from, uint64_t offset, uint64_t len,
		       struct verr *e)
{
	int error = vec_write(from, v->overlay.fd, file_offset(v, offset), (size_t)len);

	if (error != 0)
		return raise(e, error, "write", offset);
	overlay_set(&v->overlay, offset / OVERLAY_PAGE, overlay_pages(len), OVERLAY_DATA);
	return 0;
}

/* Whole pages are zero. States first: a hole under a page that counts would be zeros too early
 * only for whoever asked for them. */
static int zero_pages(struct stel_volume *v, uint64_t offset, uint64_t len)
{
	uint64_t page = offset / OVERLAY_PAGE, left = overlay_pages(len);

	while (left > 0) {
		enum overlay_state state;
		uint64_t n = overlay_run(&v->overlay, page, left, &state);

		overlay_set(&v->overlay, page, n, OVERLAY_ZERO);
		/* Where the file system cannot, the space is lost, and nothing else. */
		if (state == OVERLAY_DATA)
			(void)fallocate(v->overlay.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					(off_t)file_offset(v, page * OVERLAY_PAGE),
					(off_t)(n * OVERLAY_PAGE));
		page += n;
		left -= n;
	}
	return 0;
}

/* The part of a range that is whole pages; the disk's last one is whole when its end is reached. */
struct pages {
	uint64_t start, end;
};

static struct pages whole_pages(const struct stel_volume *v, uint64_t offset, uint64_t len)
{
	struct pages p = {.start = (offset + OVERLAY_PAGE - 1) / OVERLAY_PAGE * OVERLAY_PAGE,
			  .end = (offset + len) / OVERLAY_PAGE * OVERLAY_PAGE};

	if (offset + len == v->source.size)
		p.end = offset + len;
	if (p.end < p.start)
		p.start = p.end = offset;
	return p;
}

/* `from` NULL: zeros. */
static int change(struct stel_volume *v, struct vec *from, uint64_t offset, uint64_t len,
		  struct verr *e)
{
	struct pages whole = whole_pages(v, offset, len);
	uint64_t end = offset + len;

	if (v->readonly)
		return raise(e, EROFS, "write", offset);
	/* Within one page, or up to the first whole one. */
	if (whole.start == whole.end)
		whole.start = whole.end = MIN(end, (offset / OVERLAY_PAGE + 1) * OVERLAY_PAGE);
	if (offset < whole.start && write_part(v, from, offset, whole.start - offset, e) < 0)
		return -1;
	if (whole.start < whole.end &&
	    (from != NULL ? write_pages(v, from, whole.start, whole.end - whole.start, e)
			  : zero_pages(v, whole.start, whole.end - whole.start)) < 0)
		return -1;
	return whole.end < end ? write_part(v, from, whole.end, end - whole.end, e) : 0;
}

int stel_volume_write(struct stel_volume *v, const struct iovec *iov, size_t count, uint64_t offset,
		      uint64_t len, struct verr *e)
{
	struct vec from = {.iov = iov, .count = count};

	return len == 0 ? 0 : change(v, &from, offset, len, e);
}

int stel_volume_zero(struct stel_volume *v, uint64_t offset, uint64_t len, struct verr *e)
{
	return len == 0 ? 0 : change(v, NULL, offset, len, e);
}

int stel_volume_flush(struct stel_volume *v, struct verr *e)
{
	int error = overlay_flush(&v->overlay);

	if (error == 0)
		return 0;
	errno = error;
	return verr_os(e, "the overlay: make it durable");
}
