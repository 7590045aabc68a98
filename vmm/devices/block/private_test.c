/* SPDX-License-Identifier: Apache-2.0 */
/* A disk whose file stays as it is, beside a model of what it should read as. */
#include "vmm/devices/block/private.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/own.h"
#include "base/test_files.h"
#include "vmm/devices/block/written.h"

#define SIZE (KIB(200) + 512) /* the last page is not whole */
#define ROUNDS 3000

struct fixture {
	char path[128];
	uint8_t base[SIZE], model[SIZE];
	struct disk_private *disk;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct verr e = VERR_INIT;
	void *folder;
	FILE *file;

	assert_non_null(f);
	assert_int_equal(test_folder_make(&folder), 0);
	(void)snprintf(f->path, sizeof(f->path), "%s/disk", (char *)folder);
	free(folder);
	for (size_t i = 0; i < SIZE; i++)
		f->base[i] = (uint8_t)(i * 31 + i / 4096);
	memcpy(f->model, f->base, SIZE);
	file = fopen(f->path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(f->base, 1, SIZE, file), SIZE);
	assert_int_equal(fclose(file), 0);
	assert_ok(disk_private_open(f->path, &f->disk, &e), &e);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	void *folder = strdup(f->path);

	f->disk = disk_private_close(f->disk);
	free(f);
	*strrchr(folder, '/') = '\0';
	return test_folder_remove(&folder); /* NOLINT(clang-analyzer-unix.Malloc): it frees it */
}

/* One operation, its buffer in two pieces. */
static int run(struct fixture *f, enum disk_op op, uint64_t offset, uint64_t len, uint8_t *bytes)
{
	struct disk_medium *medium = disk_private_medium(f->disk);
	uint64_t half = len / 2;
	struct iovec iov[] = {{bytes, half}, {bytes + half, len - half}};
	struct disk_io io = {.op = op, .offset = offset, .len = len};

	if (op == DISK_READ || op == DISK_WRITE) {
		io.iov = iov;
		io.niov = ARRAY_LEN(iov);
	}
	return medium->class->run(medium, &io);
}

static void check_all(struct fixture *f)
{
	static uint8_t out[SIZE];

	assert_int_equal(run(f, DISK_READ, 0, SIZE, out), 0);
	assert_memory_equal(out, f->model, SIZE);
}

static void change(struct fixture *f, unsigned *seed)
{
	static uint8_t bytes[KIB(40)];
	static const enum disk_op ops[] = {DISK_WRITE, DISK_WRITE, DISK_DISCARD, DISK_WRITE_ZEROES,
					   DISK_FLUSH};
	enum disk_op op = ops[(unsigned)rand_r(seed) % ARRAY_LEN(ops)];
	uint64_t offset = (unsigned)rand_r(seed) % (SIZE / 512) * 512U;
	uint64_t len = ((unsigned)rand_r(seed) % 80 + 1) * 512ULL;

	len = MIN(len, SIZE - offset);
	if ((unsigned)rand_r(seed) % 2 == 0) /* whole pages often */
		offset -= offset % 4096;
	memset(bytes, rand_r(seed), len);
	assert_int_equal(run(f, op, offset, len, bytes), 0);
	if (op == DISK_WRITE)
		memcpy(f->model + offset, bytes, len);
	else if (op != DISK_FLUSH)
		memset(f->model + offset, 0, len);
}

static void test_it_reads_as_it_was_written(void **state)
{
	struct fixture *f = *state;
	static uint8_t out[SIZE];
	struct verr e = VERR_INIT;
	auto_fd fd = open(f->path, O_RDONLY), saved = memfd_create("saved", MFD_CLOEXEC);
	struct disk_medium *medium = disk_private_medium(f->disk);
	unsigned seed = 1;

	check_all(f);
	for (int i = 0; i < ROUNDS; i++) {
		change(f, &seed);
		if (i % 50 == 0)
			check_all(f);
	}
	check_all(f);
	assert_int_equal(pread(fd, out, SIZE, 0), SIZE);
	assert_memory_equal(out, f->base, SIZE);
	assert_ok(medium->class->save(medium, saved, NULL, &e), &e);
	assert_int_equal(lseek(saved, 0, SEEK_END), SIZE);
	assert_int_equal(pread(saved, out, SIZE, 0), SIZE);
	assert_memory_equal(out, f->model, SIZE);
}

/* What the file has is of use only as long as nobody writes to it. */
static void test_the_file_is_locked_against_writers(void **state)
{
	struct fixture *f = *state;
	auto_fd fd = open(f->path, O_RDONLY);
	struct disk_private *other = NULL;
	struct verr e = VERR_INIT;

	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1);
	assert_ok(disk_private_open(f->path, &other, &e), &e);
	(void)disk_private_close(other);
	assert_fault(disk_private_open("/nowhere", &other, &e), &e, VERR_INVALID, "cannot open");
}

static void test_what_is_written_is_noted(void **state)
{
	struct disk_written w = {.bits = NULL};
	struct verr e = VERR_INIT;
	uint64_t at = 0, len;

	(void)state;
	written_note(&w, 0, 1); /* nobody wants to know */
	assert_ok(written_begin(&w, 10 * WRITTEN_PART + 512, &e), &e);
	assert_false(written_next(&w, &at, &len));
	written_note(&w, 3 * WRITTEN_PART - 1, 2);
	written_note(&w, 10 * WRITTEN_PART, 512);
	written_note(&w, 10 * WRITTEN_PART, 0);
	written_end(&w);
	written_note(&w, 5 * WRITTEN_PART, 1);
	for (uint64_t wanted = 2; wanted < 11; wanted = wanted == 3 ? 10 : wanted + 1, at += len) {
		assert_true(written_next(&w, &at, &len));
		assert_int_equal(at, wanted * WRITTEN_PART);
	}
	assert_false(written_next(&w, &at, &len));
	free(w.bits);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_written_is_noted),
		cmocka_unit_test_setup_teardown(test_it_reads_as_it_was_written, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_file_is_locked_against_writers, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
