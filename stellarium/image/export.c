/* SPDX-License-Identifier: Apache-2.0 */
/* Writing an image to a file, holes for its zeros, or to a stream, zeros and all. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stellarium/chunk/cut.h"
#include "stellarium/image/image.h"
#include "stellarium/store/file.h"

#define GATHER MIB(2) /* written at once */

struct export
{
	int fd;
	bool file; /* that has nothing yet: what is not written is zero */
	uint64_t at;
	uint8_t *gathered;
	size_t used;
};

static int write_stream(int fd, const uint8_t *bytes, size_t len, struct verr *e)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0)
			return verr_os(e, "write");
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

static int flush(struct export *x, struct verr *e)
{
	size_t len = x->used;

	x->used = 0;
	if (!x->file)
		return write_stream(x->fd, x->gathered, len, e);
	return file_pwrite(x->fd, "output", x->gathered, len, x->at - len, e);
}

static int put(struct export *x, const uint8_t *bytes, size_t len, struct verr *e)
{
	while (len > 0) {
		size_t n = MIN(len, (size_t)GATHER - x->used);

		memcpy(x->gathered + x->used, bytes, n);
		x->used += n;
		x->at += n;
		bytes += n;
		len -= n;
		if (x->used == GATHER && flush(x, e) < 0)
			return -1;
	}
	return 0;
}

static int put_zeros(struct export *x, uint64_t len, struct verr *e)
{
	static const uint8_t zeros[KIB(64)];

	if (x->file) {
		if (flush(x, e) < 0)
			return -1;
		x->at += len;
		return 0;
	}
	for (; len > 0; len -= MIN(len, sizeof(zeros)))
		if (put(x, zeros, MIN(len, sizeof(zeros)), e) < 0)
			return -1;
	return 0;
}

static bool is_empty_file(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0;
}

static int run(struct export *x, struct stel_image *image, const struct stel_watch *watch,
	       struct verr *e)
{
	const struct manifest *m = &image->manifest;
	uint8_t *chunk = image->chunk;
	size_t len = 0;

	image->chunk_number = SIZE_MAX; /* its room is used here */
	for (size_t i = 0; i < m->count; i++) {
		const struct manifest_piece *piece = &m->pieces[i];

		if (piece->offset > x->at && put_zeros(x, piece->offset - x->at, e) < 0)
			return -1;
		if (cas_load(image->s, image->view, &piece->id, chunk, CHUNK_MAX, &len, e) !=
		    CAS_OK)
			return -1;
		if (len != piece->len)
			return verr_corrupt(e, "a chunk has another length than the image's tree "
					       "says");
		if (put(x, chunk, len, e) < 0 || watch_go_on(watch, x->at, m->root.size, e) < 0)
			return -1;
	}
	if (put_zeros(x, m->root.size - x->at, e) < 0 || flush(x, e) < 0)
		return -1;
	if (x->file && ftruncate(x->fd, (off_t)m->root.size) < 0)
		return verr_os(e, "write");
	return 0;
}

int stel_export(struct stel_image *image, int fd, const struct stel_watch *watch, struct verr *e)
{
	struct export x = {.fd = fd, .file = is_empty_file(fd), .gathered = malloc(GATHER)};
	int r = x.gathered == NULL ? verr_host(e, "out of memory") : run(&x, image, watch, e);

	free(x.gathered);
	return r;
}
