/* SPDX-License-Identifier: Apache-2.0 */
/* What only the io_uring engine has to show; block_test.c tries all that both have. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "base/test.h"
#include "vmm/devices/block/engines.h"

#define FILE_LEN MIB(4)

struct fixture {
	struct disk_file file;
	struct disk_engine *engine;
	char path[32];
	uint8_t *data;
	unsigned done;
};

static void on_done(void *arg, struct disk_io *io)
{
	assert_int_equal(io->error, 0);
	((struct fixture *)arg)->done++;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct verr e = VERR_INIT;

	assert_non_null(f);
	f->data = calloc(1, FILE_LEN);
	assert_non_null(f->data);
	(void)strcpy(f->path, "/tmp/volt-uring-XXXXXX");
	f->file = (struct disk_file){.fd = mkstemp(f->path), .medium.size = FILE_LEN};
	assert_true(f->file.fd >= 0);
	assert_int_equal(pwrite(f->file.fd, f->data, FILE_LEN, 0), FILE_LEN);
	if (uring_engine_new(&f->file, 8, on_done, f, &f->engine, &e) < 0 &&
	    getenv("VOLT_TEST_URING") != NULL)
		fail_msg("%s", e.text);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	f->engine = disk_engine_free(f->engine);
	fd_close(&f->file.fd);
	(void)unlink(f->path);
	free(f->data);
	free(f);
	return 0;
}

/* Has the kernel made a thread to do what this one asked io_uring for? */
static bool has_helper(void)
{
	DIR *tasks = opendir("/proc/self/task");
	char path[64], want[32], name[32];
	const struct dirent *entry;
	bool found = false;
	FILE *comm;

	assert_non_null(tasks);
	(void)snprintf(want, sizeof(want), "iou-wrk-%d\n", (int)gettid());
	while ((entry = readdir(tasks)) != NULL) {
		(void)snprintf(path, sizeof(path), "/proc/self/task/%.16s/comm", entry->d_name);
		comm = fopen(path, "re");
		if (comm == NULL)
			continue;
		found |= fgets(name, sizeof(name), comm) != NULL && strcmp(name, want) == 0;
		(void)fclose(comm);
	}
	(void)closedir(tasks);
	return found;
}

static void transfer(struct fixture *f, enum disk_op op, uint64_t len)
{
	struct disk_engine *engine = f->engine;
	struct iovec iov = {.iov_base = f->data, .iov_len = len};
	struct disk_io io = {.op = op, .len = len, .iov = &iov, .niov = 1};

	f->done = 0;
	engine->class->submit(engine, &io);
	disk_engine_drain(engine);
	assert_int_equal(f->done, 1);
}

/* The loop does not copy what the host has in its cache when it is much: others wait for it. */
static void test_long_transfers_are_done_elsewhere(void **state)
{
	struct fixture *f = *state;

	if (f->engine == NULL) {
		skip();
		return;
	}
	transfer(f, DISK_READ, FILE_LEN);
	assert_true(has_helper());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_long_transfers_are_done_elsewhere, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
