/* SPDX-License-Identifier: Apache-2.0 */
#include "stellarium/image/input.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stellarium/store/file.h"

int input_open(struct input *in, int fd, uint64_t unit, struct verr *e)
{
	struct stat st;
	off_t end = 0;

	if (fstat(fd, &st) < 0)
		return verr_os(e, "read");
	if (S_ISDIR(st.st_mode))
		return verr_invalid(e, "it is a folder: expected a file");
	*in = (struct input){.fd = fd, .unit = unit};
	if (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode))
		end = lseek(fd, 0, SEEK_END);
	if (end < 0)
		return verr_os(e, "read");
	in->size = (uint64_t)end;
	/* The kernel's own files say that they are empty. */
	in->stream = in->size == 0;
	if (in->stream && S_ISREG(st.st_mode))
		(void)lseek(fd, 0, SEEK_SET);
	return 0;
}

/* Where there is data after `at`, by whole units: *start == size: nowhere. */
static int find_data(const struct input *in, uint64_t *start, uint64_t *end, struct verr *e)
{
	off_t data = lseek(in->fd, (off_t)in->at, SEEK_DATA), hole;

	if (data < 0 && errno == ENXIO) {
		*start = in->size;
		return 0;
	}
	if (data < 0 && errno == EINVAL) { /* it does not know of holes */
		*start = in->at;
		*end = in->size;
		return 0;
	}
	hole = data < 0 ? -1 : lseek(in->fd, data, SEEK_HOLE);
	if (hole < 0)
		return verr_os(e, "look for holes");
	*start = (uint64_t)data / in->unit * in->unit;
	*end = ((uint64_t)hole + in->unit - 1) / in->unit * in->unit;
	if (*end > in->size)
		*end = in->size;
	return 0;
}

static enum input_result read_stream(const struct input *in, uint8_t *out, size_t room,
				     uint64_t *len, struct verr *e)
{
	ssize_t n = read(in->fd, out, room);

	if (n < 0) {
		(void)verr_os(e, "read");
		return INPUT_FAULT;
	}
	*len = (uint64_t)n;
	return n == 0 ? INPUT_END : INPUT_DATA;
}

enum input_result input_next(struct input *in, uint8_t *out, size_t room, uint64_t *len,
			     struct verr *e)
{
	uint64_t start = 0, left;
	size_t got;

	if (in->stream)
		return read_stream(in, out, room, len, e);
	if (in->at == in->size)
		return INPUT_END;
	if (in->at >= in->data_end) {
		if (find_data(in, &start, &in->data_end, e) < 0)
			return INPUT_FAULT;
		if (start > in->at) {
			*len = start - in->at;
			in->at = start;
			in->data_end = start;
			return INPUT_HOLE;
		}
	}
	left = in->data_end - in->at;
	if (file_pread(in->fd, "input", out, left < room ? (size_t)left : room, in->at, &got, e) <
	    0)
		return INPUT_FAULT;
	if (got == 0) {
		(void)verr_invalid(e, "it became shorter while it was read");
		return INPUT_FAULT;
	}
	in->at += got;
	*len = got;
	return INPUT_DATA;
}
