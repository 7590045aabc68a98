/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the store does with bytes costs so much time of one core; for bench/store:
 *
 *	chunks sum FILE          what b3sum does: prints its BLAKE3
 *	chunks hash FILE         BLAKE3 over all of it
 *	chunks hash-16k FILE     by pieces of 16 KiB, as chunks are
 *	chunks page|fastcdc FILE finding where chunks end
 *	chunks read STORE IMAGE  4 KiB at places that have data, at random: microseconds each
 *
 * Prints GB/s, of the best of some runs, but for the last.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/own.h"
#include "stellarium/chunk/cut.h"
#include "stellarium/chunk/hash.h"

#define RUNS 5
#define READS 4000

/* Of this thread, so that a host that does other things, too, does not matter. */
static uint64_t cpu_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static struct bytes map_file(const char *path, int flags)
{
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *map;

	if (fd < 0 || fstat(fd, &st) < 0)
		return bytes_of(NULL, 0);
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | flags, fd, 0);
	return map == MAP_FAILED ? bytes_of(NULL, 0) : bytes_of(map, (size_t)st.st_size);
}

static uint64_t hash(struct bytes b, size_t piece)
{
	uint64_t sum = 0;

	for (size_t at = 0; at < b.len; at += piece) {
		struct stel_id id = chunk_hash(b.at + at, MIN(piece, b.len - at));

		sum += id.bytes[0];
	}
	return sum;
}

static uint64_t cut(struct bytes b, enum stel_method method)
{
	struct stel_cutting how = stel_cutting_usual(method);
	struct chunk_cut c;
	uint64_t count = 0;

	chunk_cut_init(&c, &how);
	for (size_t at = 0; at < b.len; count++)
		at += chunk_cut_next(&c, b.at + at, b.len - at, true);
	return count;
}

static int run(const char *what, struct bytes b, uint64_t *sum)
{
	if (strcmp(what, "hash") == 0)
		*sum += hash(b, b.len);
	else if (strcmp(what, "hash-16k") == 0)
		*sum += hash(b, KIB(16));
	else if (strcmp(what, "page") == 0)
		*sum += cut(b, STEL_CUT_PAGE);
	else if (strcmp(what, "fastcdc") == 0)
		*sum += cut(b, STEL_CUT_FASTCDC);
	else
		return -1;
	return 0;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* The median. A page that is zero costs nothing: another is taken. */
static int read_random(const char *store, const char *name, struct verr *e)
{
	static uint64_t took[READS];
	struct stel *s = NULL;
	struct stel_image *image = NULL;
	uint64_t seed = 1, count = 0, median;
	uint8_t page[4096];
	int r = -1;

	if (stel_open(&s, store, e) == 0 && stel_image_open(s, name, &image, e) == 0)
		r = 0;
	while (r == 0 && count < READS) {
		uint64_t pages = stel_image_size(image) / sizeof(page), start;

		seed = seed * 6364136223846793005 + 1442695040888963407;
		start = cpu_ns();
		r = stel_image_read(image, page, (seed >> 20) % pages * sizeof(page), sizeof(page),
				    e);
		took[count] = cpu_ns() - start;
		count += !chunk_is_zero(page, sizeof(page));
	}
	(void)stel_image_close(image);
	(void)stel_close(s);
	if (r < 0)
		return -1;
	qsort(took, READS, sizeof(*took), compare);
	median = took[READS / 2];
	printf("%.1f\n", (double)median / 1000);
	return 0;
}

static int print_sum(const char *path)
{
	struct bytes b = map_file(path, 0);
	struct stel_id id = chunk_hash(b.at, b.len);
	char text[STEL_ID_TEXT];

	stel_id_text(&id, text);
	printf("%s  %s\n", text, path);
	return 0;
}

int main(int argc, char *argv[])
{
	struct verr e = VERR_INIT;
	uint64_t best = UINT64_MAX, sum = 0;
	struct bytes b;

	if (argc == 4 && strcmp(argv[1], "read") == 0) {
		if (read_random(argv[2], argv[3], &e) == 0)
			return 0;
		fprintf(stderr, "chunks: %s\n", e.text);
		return 1;
	}
	if (argc == 3 && strcmp(argv[1], "sum") == 0)
		return print_sum(argv[2]);
	b = argc == 3 ? map_file(argv[2], MAP_POPULATE) : bytes_of(NULL, 0);
	if (b.at == NULL) {
		fprintf(stderr, "chunks: expected hash, hash-16k, page or fastcdc, and a file\n");
		return 2;
	}
	for (int i = 0; i < RUNS; i++) {
		uint64_t start = cpu_ns();

		if (run(argv[1], b, &sum) < 0)
			return 2;
		best = MIN(best, cpu_ns() - start);
	}
	printf("%.3f\n", (double)b.len / (double)best);
	return sum == 0;
}
