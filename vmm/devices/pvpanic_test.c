/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/devices/pvpanic.h"

#include "vmm/devices/devices_test.h"

struct events {
	unsigned panics, crashes;
};

static void on_event(void *arg, enum pvpanic_event event)
{
	struct events *events = arg;

	if (event == PVPANIC_PANICKED)
		events->panics++;
	else
		events->crashes++;
}

static void test_events(void **state)
{
	struct events events = {0};
	struct pvpanic_options options = {.event = on_event, .arg = &events};
	struct verr e = VERR_INIT;
	struct pvpanic *pvpanic = NULL;

	(void)state;
	assert_ok(pvpanic_new(&options, &pvpanic, &e), &e);
	assert_int_equal(pvpanic_pio.in(pvpanic, 0), 3);
	pvpanic_pio.out(pvpanic, 0, 0);
	pvpanic_pio.out(pvpanic, 0, 0xfc); /* unknown bits */
	assert_int_equal(events.panics + events.crashes, 0);
	pvpanic_pio.out(pvpanic, 0, 1);
	assert_int_equal(events.panics, 1);
	pvpanic_pio.out(pvpanic, 0, 2);
	assert_int_equal(events.crashes, 1);
	pvpanic_pio.out(pvpanic, 0, 0xff);
	assert_int_equal(events.panics, 2);
	assert_int_equal(events.crashes, 1);
	assert_null(pvpanic_free(pvpanic));
	assert_null(pvpanic_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_events)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
