/* SPDX-License-Identifier: Apache-2.0 */
/* The saved state of the devices on I/O ports. */
#include "vmm/devices/devices_test.h"
#include "vmm/devices/i8042.h"
#include "vmm/devices/power.h"
#include "vmm/devices/report.h"
#include "vmm/devices/serial.h"

#define FULL 0x01

static void on_send(void *arg, uint8_t byte)
{
	(void)byte;
	(*(unsigned *)arg)++;
}

static void on_event(void *arg)
{
	(*(unsigned *)arg)++;
}

/* Two of each: what the first one's state is taken of, and what it is given to. */
struct fixture {
	struct serial *serial[2];
	struct i8042 *i8042[2];
	int irq[2];
	unsigned calls;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct verr e = VERR_INIT;

	assert_non_null(f);
	for (int i = 0; i < 2; i++) {
		f->irq[i] = irq_open();
		assert_ok(serial_new(&(struct serial_options){.irq = f->irq[i],
							      .send = on_send,
							      .arg = &f->calls},
				     &f->serial[i], &e),
			  &e);
		assert_ok(i8042_new(&(struct i8042_options){.irq = f->irq[i],
							    .reset = on_event,
							    .arg = &f->calls},
				    &f->i8042[i], &e),
			  &e);
	}
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++) {
		f->serial[i] = serial_free(f->serial[i]);
		f->i8042[i] = i8042_free(f->i8042[i]);
		(void)close(f->irq[i]);
	}
	free(f);
	return 0;
}

static void out(struct serial *s, uint16_t reg, unsigned value)
{
	serial_pio.out(s, reg, (uint8_t)value);
}

/* FIFOs on, interrupts for data, DTR RTS OUT2. */
static void listen(struct serial *s)
{
	out(s, 2, 0x81);
	out(s, 4, 0x0B);
	out(s, 1, 0x01);
}

static void test_serial_goes_on(void **state)
{
	struct fixture *f = *state;
	struct serial_state saved;
	struct verr e = VERR_INIT;

	listen(f->serial[0]);
	out(f->serial[0], 7, 0x5A);
	out(f->serial[0], 3, 0x80);
	out(f->serial[0], 0, 0x0C);
	out(f->serial[0], 3, 0x03);
	/* Two of five are read, so that the FIFO does not begin at its beginning. */
	assert_int_equal(serial_receive(f->serial[0], (const uint8_t *)"12345", 5), 5);
	assert_int_equal(serial_pio.in(f->serial[0], 0), '1');
	assert_int_equal(serial_pio.in(f->serial[0], 0), '2');
	serial_capture(f->serial[0], &saved);
	assert_int_equal(saved.received_count, 3);

	assert_ok(serial_apply(f->serial[1], &saved, &e), &e);
	/* The interrupt may have been on its way. */
	assert_int_equal(irq_edges(f->irq[1]), 1);
	assert_int_equal(serial_pio.in(f->serial[1], 2) & 0x0F, 0x0C);
	for (unsigned c = '3'; c <= '5'; c++)
		assert_int_equal(serial_pio.in(f->serial[1], 0), c);
	assert_int_equal(serial_pio.in(f->serial[1], 5) & 1, 0);
	assert_int_equal(serial_pio.in(f->serial[1], 7), 0x5A);
	out(f->serial[1], 3, 0x80);
	assert_int_equal(serial_pio.in(f->serial[1], 0), 0x0C);
	out(f->serial[1], 3, 0x03);
	out(f->serial[1], 0, 'x');
	assert_int_equal(f->calls, 1);
	assert_int_equal(serial_room(f->serial[1]), 16);
}

static void test_serial_takes_nothing_impossible(void **state)
{
	struct fixture *f = *state;
	struct serial_state good;

	listen(f->serial[0]);
	serial_capture(f->serial[0], &good);
#define IMPOSSIBLE(change)                                                                         \
	do {                                                                                       \
		struct serial_state s = good;                                                      \
		struct verr e = VERR_INIT;                                                         \
		change;                                                                            \
		assert_fault(serial_apply(f->serial[1], &s, &e), &e, VERR_CORRUPT, "serial line"); \
	} while (0)
	IMPOSSIBLE(s.ier = 0x10);
	IMPOSSIBLE(s.fcr = 0x03);
	IMPOSSIBLE(s.fcr = 0xC0);
	IMPOSSIBLE(s.mcr = 0x20);
	IMPOSSIBLE(s.msr = 0);
	IMPOSSIBLE(s.received_count = 17);
	IMPOSSIBLE((s.fcr = 0, s.received_count = 2));
	IMPOSSIBLE(s.polls = 255);
#undef IMPOSSIBLE
}

static void test_i8042_goes_on(void **state)
{
	struct fixture *f = *state;
	struct i8042_state saved;
	struct verr e = VERR_INIT;

	i8042_command_pio.out(f->i8042[0], 0, 0x60);
	i8042_data_pio.out(f->i8042[0], 0, 0x01); /* interrupt on, not translating */
	assert_true(i8042_ctrl_alt_del(f->i8042[0]));
	assert_int_equal(i8042_data_pio.in(f->i8042[0], 0), 0x14);
	/* A command waits for its argument, and an answer before the keys. */
	i8042_command_pio.out(f->i8042[0], 0, 0xAB);
	i8042_command_pio.out(f->i8042[0], 0, 0xD1);
	i8042_capture(f->i8042[0], &saved);

	assert_ok(i8042_apply(f->i8042[1], &saved, &e), &e);
	assert_int_equal(irq_edges(f->irq[1]), 1);
	assert_int_equal(i8042_command_pio.in(f->i8042[1], 0),
			 i8042_command_pio.in(f->i8042[0], 0));
	assert_int_equal(i8042_data_pio.in(f->i8042[1], 0), 0x00); /* the answer */
	assert_int_equal(i8042_data_pio.in(f->i8042[1], 0), 0x11);
	assert_int_equal(i8042_data_pio.in(f->i8042[1], 0), 0xE0);
	i8042_data_pio.out(f->i8042[1], 0, 0xFE); /* the argument: hold the processor in reset */
	assert_int_equal(f->calls, 1);
	assert_true(i8042_command_pio.in(f->i8042[1], 0) & FULL);
}

static void test_i8042_takes_nothing_impossible(void **state)
{
	struct fixture *f = *state;
	struct i8042_state good;

	i8042_capture(f->i8042[0], &good);
#define IMPOSSIBLE(change)                                                                 \
	do {                                                                               \
		struct i8042_state s = good;                                               \
		struct verr e = VERR_INIT;                                                 \
		change;                                                                    \
		assert_fault(i8042_apply(f->i8042[1], &s, &e), &e, VERR_CORRUPT, "i8042"); \
	} while (0)
	IMPOSSIBLE(s.command = 0xFE);
	IMPOSSIBLE(s.output = 0x30);
	IMPOSSIBLE(s.keyboard_count = 0);
	IMPOSSIBLE(s.keyboard[0].command = 0xFF);
#undef IMPOSSIBLE
}

static void test_power_and_report(void **state)
{
	struct fixture *f = *state;
	struct power_options options = {.off = on_event, .reset = on_event, .arg = &f->calls};
	struct power *power[2];
	struct report *report[2];
	struct power_state power_saved;
	struct report_state report_saved;
	struct verr e = VERR_INIT;
	uint8_t status;

	for (int i = 0; i < 2; i++) {
		assert_ok(power_new(&options, &power[i], &e), &e);
		assert_ok(report_new(&report[i], &e), &e);
	}
	power_pio.out(power[0], 0, 0x14);
	power_capture(power[0], &power_saved);
	assert_ok(power_apply(power[1], &power_saved, &e), &e);
	assert_int_equal(power_pio.in(power[1], 0), 0x14);
	power_saved.sleep_type = 0x20;
	assert_fault(power_apply(power[1], &power_saved, &e), &e, VERR_CORRUPT, "sleep control");

	report_capture(report[0], &report_saved);
	report_apply(report[1], &report_saved);
	assert_false(report_status(report[1], &status));
	report_pio.out(report[0], 0, 42);
	report_capture(report[0], &report_saved);
	report_apply(report[1], &report_saved);
	assert_true(report_status(report[1], &status));
	assert_int_equal(status, 42);
	for (int i = 0; i < 2; i++) {
		assert_null(power_free(power[i]));
		assert_null(report_free(report[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_serial_goes_on),   TEST(test_serial_takes_nothing_impossible),
		TEST(test_i8042_goes_on),    TEST(test_i8042_takes_nothing_impossible),
		TEST(test_power_and_report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
