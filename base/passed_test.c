/* SPDX-License-Identifier: Apache-2.0 */
#include "base/passed.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "base/own.h"
#include "base/test.h"

static unsigned count_open(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(folder);
	while (readdir(folder) != NULL)
		n++;
	(void)closedir(folder);
	return n;
}

/* `count` descriptors are sent, and at most `most` taken into `p`, with one byte. */
static void pass(struct passed *p, size_t most, size_t count)
{
	static const int fds[PASSED_MAX] = {0};
	char byte = 'x';
	int both[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, both), 0);
	assert_int_equal(passed_send(both[0], &byte, 1, 0, fds, count), 1);
	byte = 0;
	assert_int_equal(passed_receive(p, most, both[1], &byte, 1, MSG_DONTWAIT), 1);
	assert_int_equal(byte, 'x');
	assert_int_equal(passed_receive(p, most, both[1], &byte, 1, MSG_DONTWAIT), -1);
	(void)close(both[0]);
	(void)close(both[1]);
}

static void test_as_many_as_there_is_room_for(void **state)
{
	unsigned before = count_open();

	(void)state;
	for (size_t most = 0; most <= PASSED_MAX + 1; most++) {
		for (size_t count = 0; count <= PASSED_MAX; count++) {
			struct passed p = {.count = 0};
			size_t some = MIN(MIN(most, PASSED_MAX), count);

			pass(&p, most, count);
			assert_int_equal(p.count, some);
			assert_int_equal(p.cut, some < count);
			assert_int_equal(count_open(), before + some);
			for (size_t i = 0; i < some; i++)
				assert_true(fcntl(p.fds[i], F_GETFD) & FD_CLOEXEC);
			passed_close(&p);
			assert_false(p.count > 0 || p.cut);
			assert_int_equal(count_open(), before);
		}
	}
}

static void test_a_second_message(void **state)
{
	unsigned before = count_open();
	struct passed p = {.count = 0};

	(void)state;
	pass(&p, 4, 2);
	pass(&p, 4, 0);
	assert_true(p.count == 2 && !p.cut);
	pass(&p, 4, 1);
	assert_true(p.count == 2 && p.cut);
	passed_close(&p);
	assert_int_equal(count_open(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_many_as_there_is_room_for),
		cmocka_unit_test(test_a_second_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
