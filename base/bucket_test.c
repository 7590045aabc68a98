/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bucket.h"

#include "base/test.h"

#define S 1000000000ULL

static void test_no_limit(void **state)
{
	struct bucket b = {0};

	(void)state;
	bucket_take(&b, UINT64_MAX);
	assert_int_equal(bucket_wait_ns(&b, 0), 0);
}

static void test_burst_then_rate(void **state)
{
	struct bucket b;
	uint64_t now = 5 * S, taken = 0;

	(void)state;
	bucket_init(&b, 1000, 500, now);
	for (; bucket_wait_ns(&b, now) == 0; taken += 100)
		bucket_take(&b, 100);
	assert_int_equal(taken, 500);
	/* Over ten seconds exactly the rate, whenever it is looked at. */
	for (taken = 0; now < 15 * S; now += 7777777)
		while (bucket_wait_ns(&b, now) == 0) {
			bucket_take(&b, 1);
			taken++;
		}
	assert_in_range(taken, 9990, 10000);
}

static void test_tokens_that_are_given_once(void **state)
{
	struct bucket b;
	uint64_t now = S;

	(void)state;
	bucket_init(&b, 100, 10, now);
	bucket_give_once(&b, 50);
	bucket_take(&b, 30);
	/* They last, and nothing is filled meanwhile. */
	now += 100 * S;
	assert_int_equal(bucket_wait_ns(&b, now), 0);
	bucket_take(&b, 25); /* 20 of them, and 5 of the bucket's 10 */
	assert_int_equal(bucket_wait_ns(&b, now), 0);
	bucket_take(&b, 5);
	assert_in_range(bucket_wait_ns(&b, now), 1, S / 100);
	/* From here on it holds what it always does. */
	now += 100 * S;
	assert_int_equal(bucket_wait_ns(&b, now), 0);
	bucket_take(&b, 10);
	assert_int_not_equal(bucket_wait_ns(&b, now), 0);
}

static void test_debt(void **state)
{
	struct bucket b;

	(void)state;
	bucket_init(&b, 100, 0, S);
	bucket_take(&b, 1000); /* more than it ever holds */
	assert_in_range(bucket_wait_ns(&b, S), 9 * S, 9 * S + S / 100);
	assert_int_not_equal(bucket_wait_ns(&b, 9 * S), 0);
	assert_int_equal(bucket_wait_ns(&b, 10 * S + S / 10), 0);
}

static void test_waiting_as_long_as_it_says_is_enough(void **state)
{
	struct bucket b;
	uint64_t now = 0;

	(void)state;
	bucket_init(&b, 3, 1, now); /* a third of a second does not divide */
	for (int i = 0; i < 100; i++) {
		now += bucket_wait_ns(&b, now);
		assert_int_equal(bucket_wait_ns(&b, now), 0);
		bucket_take(&b, 1);
	}
	assert_in_range(now, 32 * S, 34 * S);
}

static void test_extremes(void **state)
{
	struct bucket b;

	(void)state;
	bucket_init(&b, UINT64_MAX, UINT64_MAX, 0);
	for (int i = 0; i < 100; i++)
		bucket_take(&b, UINT64_MAX);
	assert_int_not_equal(bucket_wait_ns(&b, 1), 0);
	assert_int_equal(bucket_wait_ns(&b, UINT64_MAX), 0);
	assert_int_equal(bucket_wait_ns(&b, 0), 0); /* a clock that goes back does nothing */
	bucket_init(&b, 1, 1, 0);
	bucket_take(&b, UINT64_MAX);
	assert_true(bucket_wait_ns(&b, S) > S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_limit),
		cmocka_unit_test(test_burst_then_rate),
		cmocka_unit_test(test_tokens_that_are_given_once),
		cmocka_unit_test(test_debt),
		cmocka_unit_test(test_waiting_as_long_as_it_says_is_enough),
		cmocka_unit_test(test_extremes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
