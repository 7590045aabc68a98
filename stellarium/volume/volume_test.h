/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of volumes share: a store with an image in it. */
#ifndef STELLARIUM_VOLUME_VOLUME_TEST_H
#define STELLARIUM_VOLUME_VOLUME_TEST_H

#include <dirent.h>
#include <fcntl.h>

#include "base/test_files.h"
#include "stellarium/include/stellarium.h"

#define SECTOR 512

/* The same numbers every time. */
static inline uint64_t random_next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static inline uint64_t random_below(uint64_t *seed, uint64_t limit)
{
	return (random_next(seed) >> 11) % limit;
}

/* Like a disk: runs that compress, runs that do not, and holes. */
static inline void fill_image(uint8_t *out, size_t len)
{
	uint64_t seed = 88172645463325252;

	for (size_t i = 0; i < len; i++) {
		size_t kind = i / 40960 % 5;

		out[i] = (uint8_t)(kind < 2    ? random_next(&seed) >> 24
				   : kind == 2 ? i / 64
				   : kind == 3 ? i % 4096 / 100 + i / 4096
					       : 0);
	}
}

static inline struct stel *make_store(const char *folder, enum stel_method method,
				      enum stel_codec codec)
{
	struct stel_options o = {.cut = stel_cutting_usual(method), .codec = codec, .level = 1};
	char path[64];
	struct stel *s = NULL;
	struct verr e = VERR_INIT;

	if (method == STEL_CUT_FIXED)
		o.cut.min = o.cut.average = o.cut.max = KIB(64);
	(void)snprintf(path, sizeof(path), "%s/s", folder);
	assert_ok(stel_create(path, &o, &e), &e);
	assert_ok(stel_open(&s, path, &e), &e);
	return s;
}

static inline struct stel_import import_image(struct stel *s, const char *name, const uint8_t *data,
					      size_t len)
{
	auto_fd fd = test_file(data, len);
	struct stel_import out;
	struct verr e = VERR_INIT;

	assert_ok(stel_import(s, name, fd, NULL, false, NULL, &out, &e), &e);
	return out;
}

static inline struct stel_volume_options volume_in(const char *path)
{
	return (struct stel_volume_options){.overlay = STEL_OVERLAY_FOLDER,
					    .path = path,
					    .create = true,
					    .cache = MIB(2),
					    .threads = 4};
}

static inline struct stel_volume *open_volume(struct stel *s, const struct stel_volume_options *o)
{
	struct stel_volume *v = NULL;
	struct verr e = VERR_INIT;

	assert_ok(stel_volume_open(s, o, &v, &e), &e);
	return v;
}

static inline void read_all(struct stel_volume *v, uint8_t *out, uint64_t offset, size_t len)
{
	struct iovec iov = {.iov_base = out, .iov_len = len};
	struct verr e = VERR_INIT;

	assert_ok(stel_volume_read(v, &iov, 1, offset, len, &e), &e);
}

static inline void write_all(struct stel_volume *v, const uint8_t *bytes, uint64_t offset,
			     size_t len)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = len};
	struct verr e = VERR_INIT;

	assert_ok(stel_volume_write(v, &iov, 1, offset, len, &e), &e);
}

static inline void flush_all(struct stel_volume *v)
{
	struct verr e = VERR_INIT;

	assert_ok(stel_volume_flush(v, &e), &e);
}

static inline void zero_range(struct stel_volume *v, uint64_t offset, uint64_t len)
{
	struct verr e = VERR_INIT;

	assert_ok(stel_volume_zero(v, offset, len, &e), &e);
}

/* The largest of a store's packs: the one with an image's chunks. */
static inline void find_pack(const char *folder, char out[300])
{
	char path[300];
	struct dirent *entry;
	off_t largest = -1;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "%s/s/packs", folder);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		auto_fd fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC);
		off_t size = entry->d_name[0] == '.' ? -1 : lseek(fd, 0, SEEK_END);

		if (size <= largest)
			continue;
		largest = size;
		(void)snprintf(out, 300, "%.200s/%.80s", path, entry->d_name);
	}
	(void)closedir(dir);
}

#endif
