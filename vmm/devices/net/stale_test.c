/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/devices/net/stale.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/test.h"

#define SYN 0x02
#define RST 0x04
#define ACK 0x10

/* A segment from port 0x1122 to port 0x3344, acknowledging 0x55667788. */
static size_t make(uint8_t *frame, bool ipv6, size_t options, uint8_t flags)
{
	static const uint8_t ports_and_numbers[] = {0x11, 0x22, 0x33, 0x44, 1,    2,   3,
						    4,    0x55, 0x66, 0x77, 0x88, 0x50};
	size_t ip_len = ipv6 ? 40 : 20 + options;
	uint8_t *ip = frame + 14, *tcp = ip + ip_len;

	memset(frame, 0, 14 + ip_len + 20);
	memset(frame, 1, 6);
	memset(frame + 6, 2, 6);
	frame[12] = ipv6 ? 0x86 : 0x08;
	frame[13] = ipv6 ? 0xDD : 0x00;
	ip[0] = ipv6 ? 0x60 : (uint8_t)(0x45 + options / 4);
	ip[ipv6 ? 6 : 9] = IPPROTO_TCP;
	if (!ipv6)
		ip[6] = 0x40;
	memset(ip + (ipv6 ? 8 : 12), 0xA1, ipv6 ? 16 : 4);
	memset(ip + (ipv6 ? 24 : 16), 0xB2, ipv6 ? 16 : 4);
	memcpy(tcp, ports_and_numbers, sizeof(ports_and_numbers));
	tcp[13] = flags;
	return 14 + ip_len + 20;
}

static uint32_t sum(const uint8_t *bytes, size_t len)
{
	uint32_t all = 0;

	for (size_t i = 0; i < len; i += 2)
		all += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	return all;
}

static void assert_sum(uint32_t all)
{
	assert_int_equal((all & 0xFFFF) + (all >> 16), 0xFFFF);
}

static struct stale *fresh(void **state)
{
	struct stale *s = *state;

	memset(s, 0, sizeof(*s));
	return s;
}

static int setup(void **state)
{
	*state = malloc(sizeof(struct stale));
	return *state == NULL ? -1 : 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static void test_answer(void **state)
{
	static const size_t options[] = {0, 40, 0};
	uint8_t frame[STALE_HEAD_LEN];

	for (int i = 0; i < 3; i++) {
		struct stale *s = fresh(state);
		bool ipv6 = i == 2;
		size_t len = make(frame, ipv6, options[i], ACK), ip_len = ipv6 ? 40 : 20;
		const uint8_t *ip = s->answer + 14, *tcp = ip + ip_len;
		size_t from = ipv6 ? 8 : 12, address_len = ipv6 ? 16 : 4;

		assert_true(stale_check(s, frame, len));
		assert_int_equal(s->len, 14 + ip_len + 20);
		assert_memory_equal(s->answer, "\2\2\2\2\2\2\1\1\1\1\1\1", 12);
		assert_memory_equal(s->answer + 12, frame + 12, 2);
		assert_int_equal(ip[from], 0xB2);
		assert_int_equal(ip[from + address_len], 0xA1);
		assert_memory_equal(tcp, "\x33\x44\x11\x22\x55\x66\x77\x88\0\0\0\0\x50\x04\0\0",
				    16);
		if (!ipv6)
			assert_sum(sum(ip, 20));
		assert_sum(sum(ip + from, 2 * address_len) + sum(tcp, 20) + IPPROTO_TCP + 20);
	}
}

/* What a side has begun since is passed on, whichever it was. */
static void test_new_connections(void **state)
{
	uint8_t frame[STALE_HEAD_LEN];

	for (int i = 0; i < 2; i++) {
		struct stale *s = fresh(state);
		size_t len = make(frame, i == 1, 0, SYN);

		assert_false(stale_check(s, frame, len));
		len = make(frame, i == 1, 0, ACK);
		assert_false(stale_check(s, frame, len));
		s = fresh(state);
		assert_true(stale_check(s, frame, len));
		/* The one that the answer's direction would begin. */
		s->answer[s->len - 20 + 13] = SYN;
		stale_note(s, s->answer, s->len);
		assert_false(stale_check(s, frame, len));
		/* Another port. */
		frame[len - 20 + 1]++;
		assert_true(stale_check(s, frame, len));
	}
}

/* An answer to a SYN of before is none of a new connection, nor is what only answers. */
static void test_what_begins_nothing(void **state)
{
	struct stale *s = fresh(state);
	uint8_t frame[STALE_HEAD_LEN];
	size_t len = make(frame, false, 0, SYN | ACK);

	stale_note(s, frame, len);
	assert_true(stale_check(s, frame, len));
	assert_int_equal(s->len, 54);
}

/* No reset answers a reset, nor what acknowledges nothing; and an answer waits for its turn. */
static void test_no_answer(void **state)
{
	struct stale *s = fresh(state);
	uint8_t frame[STALE_HEAD_LEN];
	size_t len = make(frame, false, 0, RST | ACK);

	assert_true(stale_check(s, frame, len));
	len = make(frame, false, 0, 0);
	assert_true(stale_check(s, frame, len));
	assert_int_equal(s->len, 0);
	len = make(frame, false, 0, ACK);
	assert_true(stale_check(s, frame, len));
	frame[len - 20 + 8] = 0xFF;
	assert_true(stale_check(s, frame, len));
	assert_int_equal(s->answer[54 - 20 + 4], 0x55);
}

/* Anything else goes through, however short. */
static void test_other_frames(void **state)
{
	struct stale *s = fresh(state);
	uint8_t frame[STALE_HEAD_LEN];
	static const struct {
		size_t at;
		uint8_t value;
	} changes[] = {{12, 0x88}, {14, 0x55}, {14, 0x44}, {14, 0x4F},
		       {20, 0x60}, {20, 0x01}, {21, 1},    {23, 17}};

	for (int i = 0; i < 2; i++) {
		size_t len = make(frame, i == 1, 0, ACK);

		for (size_t k = 0; k < len; k++)
			assert_false(stale_check(s, frame, k));
	}
	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		size_t len = make(frame, false, 0, ACK);

		frame[changes[i].at] = changes[i].value;
		assert_false(stale_check(s, frame, len));
	}
	(void)make(frame, true, 0, ACK);
	frame[20] = 17;
	assert_false(stale_check(s, frame, 74));
	assert_int_equal(s->len, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_answer),    TEST(test_new_connections), TEST(test_what_begins_nothing),
		TEST(test_no_answer), TEST(test_other_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
