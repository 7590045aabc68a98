/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an overlay holds after a loss of power at any moment, and after damage anywhere.
 *
 * The linker puts functions of ours in the way of the calls that change an overlay: they do it, and
 * remember it. A loss of power is played by making the file anew: all that came before the last
 * fdatasync() is there; of what came after it each write is there, or not, or a part of it, down to
 * single bytes where the overlay's own records are, and to sectors where the disk's are.
 */
#include "stellarium/volume/volume_test.h"

#include <linux/falloc.h>
#include <sys/stat.h>

#include "stellarium/volume/overlay_format.h"

#define BLOCKS 3UL
#define LEN (BLOCKS * OVERLAY_BLOCK * OVERLAY_PAGE)
#define HOT 16UL /* pages of each block that are used */
#define PAGES (BLOCKS * HOT)
#define SECTORS (PAGES * 8)
#define OPERATIONS 220
#define EVENTS_MAX 2000

enum kind { WRITE, PUNCH, SYNC };

struct event {
	enum kind kind;
	uint64_t at, len;
	uint8_t *bytes;
};

/* The wrapped calls know no other way to reach the test. */
static struct {
	bool on;
	struct event events[EVENTS_MAX];
	size_t count;
} tape;

static struct event *record(enum kind kind, uint64_t at, uint64_t len)
{
	struct event *event = &tape.events[tape.count++];

	assert_true(tape.count < EVENTS_MAX);
	*event = (struct event){.kind = kind, .at = at, .len = len};
	return event;
}

ssize_t __real_pwritev64v2(int fd, const struct iovec *iov, int count, off_t at, int flags);
ssize_t __wrap_pwritev64v2(int fd, const struct iovec *iov, int count, off_t at, int flags);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __real_fallocate64(int fd, int mode, off_t at, off_t len);
int __wrap_fallocate64(int fd, int mode, off_t at, off_t len);

ssize_t __wrap_pwritev64v2(int fd, const struct iovec *iov, int count, off_t at, int flags)
{
	ssize_t n = __real_pwritev64v2(fd, iov, count, at, flags);
	struct event *event;
	size_t used = 0;

	if (!tape.on || n <= 0)
		return n;
	event = record(WRITE, (uint64_t)at, (uint64_t)n);
	event->bytes = malloc((size_t)n);
	assert_non_null(event->bytes);
	for (int i = 0; i < count && used < (size_t)n; i++) {
		size_t part = MIN(iov[i].iov_len, (size_t)n - used);

		memcpy(event->bytes + used, iov[i].iov_base, part);
		used += part;
	}
	return n;
}

int __wrap_fdatasync(int fd)
{
	if (tape.on)
		(void)record(SYNC, 0, 0);
	return __real_fdatasync(fd);
}

int __wrap_fallocate64(int fd, int mode, off_t at, off_t len)
{
	if (tape.on)
		(void)record(PUNCH, (uint64_t)at, (uint64_t)len);
	return __real_fallocate64(fd, mode, at, len);
}

static void erase_tape(void)
{
	for (size_t i = 0; i < tape.count; i++)
		free(tape.events[i].bytes);
	tape.count = 0;
	tape.on = false;
}

/* -- the disk: each sector is one number, 64 times */

/* What sectors were, one after the other. */
struct history {
	uint64_t values[OPERATIONS + 1];
	size_t since[OPERATIONS + 1]; /* the events before it */
	size_t count;
};

struct flushed {
	size_t events;        /* before it returned */
	size_t seen[SECTORS]; /* how many values each sector had had */
};

static struct history histories[SECTORS];
static struct flushed flushes[OPERATIONS + 1];
static size_t flushes_count;

/* Hot pages lie at both ends and across a block. */
static uint64_t offset_of(size_t sector)
{
	size_t page = sector / 8, block = page / HOT, in = page % HOT;
	uint64_t at = in < HOT / 2 ? in : OVERLAY_BLOCK - HOT + in;

	return (block * OVERLAY_BLOCK + at) * OVERLAY_PAGE + sector % 8 * SECTOR;
}

static void fill_sector(uint8_t out[SECTOR], uint64_t value)
{
	for (size_t i = 0; i < SECTOR; i += 8)
		put_le64(out + i, value);
}

static void note_value(size_t sector, uint64_t value)
{
	struct history *h = &histories[sector];

	h->values[h->count] = value;
	h->since[h->count++] = tape.count;
}

static void note_flush(void)
{
	struct flushed *f = &flushes[flushes_count++];

	f->events = tape.count;
	for (size_t i = 0; i < SECTORS; i++)
		f->seen[i] = histories[i].count;
}

static struct stel *store_with_image(const char *folder)
{
	struct stel *s = make_store(folder, STEL_CUT_PAGE, STEL_CODEC_ZSTD);
	auto_fd fd = memfd_create("image", MFD_CLOEXEC);
	struct stel_import out;
	struct verr e = VERR_INIT;
	uint8_t sector[SECTOR];

	assert_int_equal(ftruncate(fd, LEN), 0);
	for (size_t i = 0; i < SECTORS; i++) {
		uint64_t value = i % 5 == 0 ? 0 : 1ULL << 40 | i;

		fill_sector(sector, value);
		assert_int_equal(pwrite(fd, sector, SECTOR, (off_t)offset_of(i)), SECTOR);
		histories[i].count = 0;
		note_value(i, value);
	}
	assert_ok(stel_import(s, "a", fd, NULL, false, NULL, &out, &e), &e);
	return s;
}

static void run_operations(struct stel_volume *v, uint64_t seed)
{
	static uint8_t bytes[SECTORS * SECTOR];

	flushes_count = 0;
	note_flush();
	for (uint64_t i = 1; i <= OPERATIONS; i++) {
		size_t sector = random_below(&seed, SECTORS), most = HOT / 2 * 8;
		size_t len = 1 + random_below(&seed, random_below(&seed, 3) == 0 ? 40 : 9);
		uint64_t kind = random_below(&seed, 8);

		/* What lies together on the disk. */
		len = MIN(len, most - sector % most);
		if (kind == 0) {
			flush_all(v);
			note_flush();
			continue;
		}
		/* From the first event of it on, it may be there. */
		for (size_t k = 0; k < len; k++) {
			fill_sector(bytes + k * SECTOR, i);
			note_value(sector + k, kind < 3 ? 0 : i);
		}
		if (kind < 3)
			zero_range(v, offset_of(sector), len * SECTOR);
		else
			write_all(v, bytes, offset_of(sector), len * SECTOR);
	}
}

/* -- losing power */

static void punch(int fd, uint64_t at, uint64_t len)
{
	assert_int_equal(__real_fallocate64(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					    (off_t)at, (off_t)len),
			 0);
}

static void write_part(int fd, const struct event *event, uint64_t from, uint64_t to)
{
	assert_int_equal(pwrite(fd, event->bytes + from, to - from, (off_t)(event->at + from)),
			 (ssize_t)(to - from));
}

/* Nothing, all, or what is before or behind some place. */
static void do_perhaps(int fd, const struct event *event, uint64_t *seed)
{
	uint64_t unit = event->at < overlay_data_at(LEN) ? 1 : SECTOR;
	uint64_t cut = random_below(seed, event->len / unit + 1) * unit;
	uint64_t how = random_below(seed, 4);

	if (how == 0 || event->kind == SYNC)
		return;
	if (event->kind == PUNCH)
		punch(fd, event->at, event->len);
	else
		write_part(fd, event, how == 2 ? cut : 0, how == 1 ? cut : event->len);
}

static void lose_power(const char *path, const uint8_t head[OVERLAY_PAGE], size_t at,
		       uint64_t *seed)
{
	auto_fd fd = open(path, O_RDWR | O_CLOEXEC);
	uint64_t size = overlay_data_at(LEN) + LEN;
	size_t synced = 0;

	for (size_t i = 0; i < at; i++)
		synced = tape.events[i].kind == SYNC ? i : synced;
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(pwrite(fd, head, OVERLAY_PAGE, 0), OVERLAY_PAGE);
	for (size_t i = 0; i < at; i++) {
		const struct event *event = &tape.events[i];

		if (i > synced)
			do_perhaps(fd, event, seed);
		else if (event->kind == PUNCH)
			punch(fd, event->at, event->len);
		else if (event->kind == WRITE)
			write_part(fd, event, 0, event->len);
	}
}

/* Each sector is what it was at the last flush that returned before, or at some time since. */
static void check_sectors(struct stel_volume *v, size_t at)
{
	const struct flushed *f = &flushes[0];
	uint8_t bytes[SECTOR], again[SECTOR];

	for (size_t i = 1; i < flushes_count && flushes[i].events <= at; i++)
		f = &flushes[i];
	for (size_t i = 0; i < SECTORS; i++) {
		const struct history *h = &histories[i];
		bool known = false;
		uint64_t value;

		read_all(v, bytes, offset_of(i), SECTOR);
		value = le64(bytes);
		fill_sector(again, value);
		assert_memory_equal(bytes, again, SECTOR);
		for (size_t k = f->seen[i] - 1; k < h->count && h->since[k] <= at; k++)
			known |= h->values[k] == value;
		if (!known)
			fail_msg("event %zu: sector %zu is %llu", at, i, (unsigned long long)value);
	}
}

static void test_power_cuts(void **state)
{
	const char *folder = *state;
	struct stel *s = store_with_image(folder);
	char path[64], file[80];
	uint8_t head[OVERLAY_PAGE], sector[SECTOR];
	uint64_t seed = 4711;
	struct stel_volume_options o;
	struct stel_volume *v;
	size_t cuts = 0;

	(void)snprintf(path, sizeof(path), "%s/v", folder);
	(void)snprintf(file, sizeof(file), "%s/overlay", path);
	o = volume_in(path);
	(void)stel_volume_close(open_volume(s, &o));
	{
		auto_fd fd = open(file, O_RDONLY | O_CLOEXEC);

		assert_int_equal(pread(fd, head, OVERLAY_PAGE, 0), OVERLAY_PAGE);
	}
	v = open_volume(s, &o);
	tape.on = true;
	run_operations(v, 5);
	tape.on = false;
	(void)stel_volume_close(v);
	assert_true(flushes_count > 10);
	for (size_t at = 0; at <= tape.count; at++) {
		lose_power(file, head, at, &seed);
		v = open_volume(s, &o);
		check_sectors(v, at);
		cuts++;
		/* It goes on from there. */
		if (at % 10 == 0) {
			fill_sector(sector, 77);
			write_all(v, sector, offset_of(at % SECTORS), SECTOR);
			flush_all(v);
			(void)stel_volume_close(v);
			v = open_volume(s, &o);
			read_all(v, sector, offset_of(at % SECTORS), SECTOR);
			assert_int_equal(le64(sector), 77);
		}
		(void)stel_volume_close(v);
	}
	print_message("%zu losses of power, nothing that was flushed is lost\n", cuts);
	erase_tape();
	(void)stel_close(s);
}

/* -- damage */

static void flip(int fd, uint64_t at)
{
	uint8_t byte;

	assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
	byte ^= (uint8_t)(1U << at % 8);
	assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
}

/* A flipped bit is told, or changes nothing. */
static void test_flipped_bits(void **state)
{
	const char *folder = *state;
	struct stel *s = store_with_image(folder);
	char path[64], file[80];
	uint8_t sector[SECTOR];
	struct stel_volume_options o;
	struct stel_volume *v;
	size_t told = 0, looked = 0;
	auto_fd fd = -1;

	(void)snprintf(path, sizeof(path), "%s/v", folder);
	(void)snprintf(file, sizeof(file), "%s/overlay", path);
	o = volume_in(path);
	v = open_volume(s, &o);
	for (uint64_t round = 1; round < 4; round++) {
		for (size_t i = 0; i < SECTORS; i++) {
			fill_sector(sector, round);
			if (i / 8 % 3 < round)
				write_all(v, sector, offset_of(i), SECTOR);
		}
		flush_all(v);
	}
	(void)stel_volume_close(v);
	fd = open(file, O_RDWR | O_CLOEXEC);
	o.readonly = true;
	for (uint64_t at = 0; at < overlay_data_at(LEN); at += at < OVERLAY_PAGE ? 11 : 37) {
		struct verr e = VERR_INIT;

		flip(fd, at);
		looked++;
		if (stel_volume_open(s, &o, &v, &e) < 0) {
			assert_int_equal(e.kind, VERR_CORRUPT);
			told++;
		} else {
			for (size_t i = 0; i < SECTORS; i += 8) {
				read_all(v, sector, offset_of(i), SECTOR);
				assert_int_equal(le64(sector), 3);
			}
			(void)stel_volume_close(v);
		}
		flip(fd, at);
	}
	/* All but the marks and slots that do not count. */
	assert_in_range(told, looked / 4, looked);
	v = open_volume(s, &o);
	(void)stel_volume_close(v);

	/* Cut short, and another store's. */
	{
		struct verr e = VERR_INIT;

		assert_int_equal(ftruncate(fd, (off_t)(overlay_data_at(LEN) + LEN - 1)), 0);
		assert_fault(stel_volume_open(s, &o, &v, &e), &e, VERR_CORRUPT, "cut short");
		assert_int_equal(ftruncate(fd, (off_t)(overlay_data_at(LEN) + LEN)), 0);
	}
	(void)stel_close(s);
}

static void test_another_stores(void **state)
{
	const char *folder = *state;
	char other[64], path[64];
	struct stel *s = store_with_image(folder);
	struct stel_volume_options o;
	struct stel_volume *v;
	struct verr e = VERR_INIT;

	(void)snprintf(path, sizeof(path), "%s/v", folder);
	(void)snprintf(other, sizeof(other), "%s/other", folder);
	o = volume_in(path);
	(void)stel_volume_close(open_volume(s, &o));
	(void)stel_close(s);
	assert_int_equal(mkdir(other, 0700), 0);
	s = store_with_image(other);
	assert_fault(stel_volume_open(s, &o, &v, &e), &e, VERR_CORRUPT, "another store");
	(void)stel_close(s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, test_folder_make, test_folder_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_power_cuts),
		TEST(test_flipped_bits),
		TEST(test_another_stores),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
