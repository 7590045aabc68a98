/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/devices/power.h"

#include <fcntl.h>

#include "base/log.h"
#include "vmm/devices/devices_test.h"

enum { CONTROL, STATUS, RESET };

struct calls {
	unsigned offs, resets;
};

static void on_off(void *arg)
{
	((struct calls *)arg)->offs++;
}

static void on_reset(void *arg)
{
	((struct calls *)arg)->resets++;
}

static struct power *power_of(struct calls *calls)
{
	struct power_options options = {.off = on_off, .reset = on_reset, .arg = calls};
	struct verr e = VERR_INIT;
	struct power *power = NULL;

	assert_ok(power_new(&options, &power, &e), &e);
	return power;
}

static void test_layout(void **state)
{
	(void)state;
	assert_int_equal(POWER_PORTS, 3);
	assert_int_equal(LAYOUT_PORT_SLEEP_CONTROL + STATUS, LAYOUT_PORT_SLEEP_STATUS);
	assert_int_equal(LAYOUT_PORT_SLEEP_CONTROL + RESET, LAYOUT_PORT_RESET);
}

/* As Linux powers off: clear the wake status, then type and enable in one write. */
static void test_power_off(void **state)
{
	struct calls calls = {0};
	struct power *power = power_of(&calls);

	(void)state;
	power_pio.out(power, STATUS, 0x80);
	assert_int_equal(power_pio.in(power, STATUS), 0);
	power_pio.out(power, CONTROL, 5 << 2);
	assert_int_equal(calls.offs, 0); /* not enabled */
	assert_int_equal(power_pio.in(power, CONTROL), 5 << 2);
	power_pio.out(power, CONTROL, 5 << 2 | 0x20);
	assert_int_equal(calls.offs, 1);
	assert_int_equal(power_pio.in(power, CONTROL), 5 << 2); /* the enable bit reads as 0 */
	assert_int_equal(calls.resets, 0);
	assert_null(power_free(power));
	assert_null(power_free(NULL));
}

static void test_other_sleep_states_do_nothing(void **state)
{
	struct calls calls = {0};
	struct power *power = power_of(&calls);
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	(void)state;
	log_setup(&(struct log_options){.level = LOG_WARN, .fd = null});
	for (unsigned value = 0; value < 256; value++)
		if ((value & 0x3c) != (5 << 2 | 0x20))
			power_pio.out(power, CONTROL, (uint8_t)value);
	assert_int_equal(calls.offs, 0);
	log_setup(&(struct log_options){.level = LOG_WARN, .fd = STDERR_FILENO});
	(void)close(null);
	assert_null(power_free(power));
}

static void test_reset(void **state)
{
	struct calls calls = {0};
	struct power *power = power_of(&calls);

	(void)state;
	power_pio.out(power, RESET, 0);
	power_pio.out(power, RESET, 0xff);
	assert_int_equal(calls.resets, 0);
	power_pio.out(power, RESET, LAYOUT_RESET_VALUE);
	assert_int_equal(calls.resets, 1);
	assert_int_equal(power_pio.in(power, RESET), 0);
	assert_int_equal(calls.offs, 0);
	assert_null(power_free(power));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_power_off),
		cmocka_unit_test(test_other_sleep_states_do_nothing),
		cmocka_unit_test(test_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
