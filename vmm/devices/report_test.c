/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/devices/report.h"

#include <pthread.h>

#include "base/sys.h"
#include "vmm/devices/devices_test.h"

enum { STATUS, MARK };

static int setup(void **state)
{
	struct verr e = VERR_INIT;
	struct report *report = NULL;

	assert_ok(report_new(&report, &e), &e);
	*state = report;
	return 0;
}

static int teardown(void **state)
{
	assert_null(report_free(*state));
	return 0;
}

static void test_status(void **state)
{
	struct report *report = *state;
	uint8_t status = 77;

	assert_int_equal(REPORT_PORTS, 2);
	assert_false(report_status(report, &status));
	assert_int_equal(status, 77);
	report_pio.out(report, STATUS, 0);
	assert_true(report_status(report, &status));
	assert_int_equal(status, 0);
	report_pio.out(report, STATUS, 255); /* the last one counts */
	assert_true(report_status(report, &status));
	assert_int_equal(status, 255);
	assert_int_equal(report_pio.in(report, STATUS), 0xff);
	assert_int_equal(report_pio.in(report, MARK), 0xff);
}

static void test_marks(void **state)
{
	struct report *report = *state;
	uint64_t before = sys_now_ns(), first;

	for (unsigned value = 0; value < 256; value++)
		assert_int_equal(report_mark_ns(report, (enum volt_mark)value), 0);
	report_pio.out(report, MARK, VOLT_MARK_WORKLOAD);
	first = report_mark_ns(report, VOLT_MARK_WORKLOAD);
	assert_in_range(first, before, sys_now_ns());
	report_pio.out(report, MARK, VOLT_MARK_WORKLOAD);
	assert_int_equal(report_mark_ns(report, VOLT_MARK_WORKLOAD), first);
	/* Marks that nobody knows are nobody's business. */
	report_pio.out(report, MARK, 0);
	report_pio.out(report, MARK, VOLT_MARK_COUNT);
	report_pio.out(report, MARK, 255);
	assert_int_equal(report_mark_ns(report, VOLT_MARK_INIT), 0);
	assert_int_equal(report_mark_ns(report, VOLT_MARK_DONE), 0);
	assert_int_equal(report_mark_ns(report, (enum volt_mark)0), 0);
	assert_int_equal(report_mark_ns(report, VOLT_MARK_COUNT), 0);
}

static void *write_much(void *arg)
{
	for (unsigned i = 0; i < 1000; i++) {
		report_pio.out(arg, STATUS, (uint8_t)(i & 1));
		report_pio.out(arg, MARK, VOLT_MARK_INIT);
	}
	return NULL;
}

/* For ThreadSanitizer: two vCPUs write while the main thread reads. */
static void test_threads(void **state)
{
	struct report *report = *state;
	pthread_t a, b;
	uint64_t mark, last = 0;
	uint8_t status;

	assert_int_equal(pthread_create(&a, NULL, write_much, report), 0);
	assert_int_equal(pthread_create(&b, NULL, write_much, report), 0);
	for (int i = 0; i < 1000; i++) {
		if (report_status(report, &status))
			assert_in_range(status, 0, 1);
		mark = report_mark_ns(report, VOLT_MARK_INIT);
		assert_true(last == 0 || mark == last);
		last = mark;
	}
	assert_int_equal(pthread_join(a, NULL), 0);
	assert_int_equal(pthread_join(b, NULL), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(test_status), TEST(test_marks), TEST(test_threads)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
