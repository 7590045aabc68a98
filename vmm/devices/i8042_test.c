/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/devices/i8042.h"

#include "vmm/devices/devices_test.h"

#define FULL 0x01
#define AUX_DATA 0x20

struct fixture {
	struct i8042 *kbd;
	int irq;
	unsigned resets;
};

static void on_reset(void *arg)
{
	struct fixture *f = arg;

	f->resets++;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct verr e = VERR_INIT;

	assert_non_null(f);
	f->irq = irq_open();
	assert_ok(i8042_new(&(struct i8042_options){.irq = f->irq, .reset = on_reset, .arg = f},
			    &f->kbd, &e),
		  &e);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	f->kbd = i8042_free(f->kbd);
	(void)close(f->irq);
	free(f);
	return 0;
}

static uint8_t status(struct fixture *f)
{
	return i8042_command_pio.in(f->kbd, 0);
}

static uint8_t data(struct fixture *f)
{
	return i8042_data_pio.in(f->kbd, 0);
}

static void command(struct fixture *f, unsigned value)
{
	i8042_command_pio.out(f->kbd, 0, (uint8_t)value);
}

static void write_data(struct fixture *f, unsigned value)
{
	i8042_data_pio.out(f->kbd, 0, (uint8_t)value);
}

static void set_ctr(struct fixture *f, unsigned value)
{
	command(f, 0x60);
	write_data(f, value);
}

/* The guest reads exactly these bytes. */
static void expect(struct fixture *f, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		assert_int_equal(status(f) & (FULL | AUX_DATA), FULL);
		assert_int_equal(data(f), bytes[i]);
	}
	assert_int_equal(status(f) & FULL, 0);
}

#define EXPECT(f, ...) \
	expect(f, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* A driver that has enabled everything: translating or not. */
static void enable(struct fixture *f, unsigned ctr)
{
	set_ctr(f, ctr);
	write_data(f, 0xf4);
	EXPECT(f, 0xfa);
	(void)irq_edges(f->irq);
}

static void test_empty_at_first(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(status(f), 0x14);
	assert_int_equal(data(f), 0);
	command(f, 0x20);
	EXPECT(f, 0x64);
	assert_int_equal(data(f), 0x64); /* nothing new: the old byte */
	assert_int_equal(irq_edges(f->irq), 0);
}

/* What Linux's i8042 and atkbd drivers do from probe to a working keyboard. */
static void test_linux_probe(void **state)
{
	struct fixture *f = *state;

	command(f, 0xd1);
	write_data(f, 0xdf); /* A20 */
	command(f, 0xff);    /* pulses no line */
	assert_int_equal(f->resets, 0);
	assert_int_equal(status(f) & FULL, 0);
	command(f, 0xaa);
	EXPECT(f, 0x55);
	command(f, 0x20);
	EXPECT(f, 0x64);
	set_ctr(f, 0x74);
	/* No mouse: the loop's answer is not marked as a mouse's, the test's says "stuck". */
	command(f, 0xd3);
	write_data(f, 0x5a);
	assert_int_equal(status(f) & (FULL | AUX_DATA), FULL);
	command(f, 0xa9);
	EXPECT(f, 0x01);
	set_ctr(f, 0x65);
	assert_int_equal(irq_edges(f->irq), 0);

	write_data(f, 0xf2);
	assert_int_equal(irq_edges(f->irq), 1);
	EXPECT(f, 0xfa, 0xab, 0x41);
	assert_int_equal(irq_edges(f->irq), 2);
	write_data(f, 0xf5);
	EXPECT(f, 0xfa);
	write_data(f, 0xed);
	EXPECT(f, 0xfa);
	write_data(f, 0x00);
	EXPECT(f, 0xfa);
	write_data(f, 0xf3);
	EXPECT(f, 0xfa);
	write_data(f, 0x00);
	EXPECT(f, 0xfa);
	assert_false(i8042_ctrl_alt_del(f->kbd));
	write_data(f, 0xf4);
	EXPECT(f, 0xfa);
	assert_int_equal(irq_edges(f->irq), 6);
	assert_true(i8042_ctrl_alt_del(f->kbd));
}

static void test_controller_commands(void **state)
{
	struct fixture *f = *state;

	command(f, 0xab);
	EXPECT(f, 0x00);
	assert_int_equal(status(f) & 0x08, 0x08); /* a command was last */
	command(f, 0xad);
	command(f, 0x20);
	EXPECT(f, 0x74);
	command(f, 0xae);
	command(f, 0x20);
	EXPECT(f, 0x64);
	command(f, 0xa8); /* there is no mouse to enable */
	command(f, 0x20);
	EXPECT(f, 0x64);
	command(f, 0xd0);
	EXPECT(f, 0xcf);
	command(f, 0xc0);
	EXPECT(f, 0x80);
	command(f, 0xd2);
	write_data(f, 0x99);
	assert_int_equal(status(f) & 0x08, 0);
	EXPECT(f, 0x99);
	command(f, 0x3f); /* the chip's RAM */
	EXPECT(f, 0x00);
	command(f, 0x7f);
	write_data(f, 0xff); /* its argument, and no reset of the keyboard */
	command(f, 0xd4);
	write_data(f, 0xff); /* for the mouse */
	command(f, 0x00);
	command(f, 0xbf);
	assert_int_equal(status(f) & FULL, 0);
	/* A command in place of an argument. */
	command(f, 0x60);
	command(f, 0x20);
	EXPECT(f, 0x64);
	write_data(f, 0xee);
	EXPECT(f, 0xee);
}

static void test_keyboard_commands(void **state)
{
	struct fixture *f = *state;

	set_ctr(f, 0x04); /* not translated */
	write_data(f, 0xff);
	EXPECT(f, 0xfa, 0xaa);
	write_data(f, 0xf2);
	EXPECT(f, 0xfa, 0xab, 0x83);
	write_data(f, 0xfe);
	EXPECT(f, 0x83);
	write_data(f, 0xee);
	EXPECT(f, 0xee);
	write_data(f, 0xf6);
	EXPECT(f, 0xfa);
	write_data(f, 0xf0);
	EXPECT(f, 0xfa);
	write_data(f, 0x00);
	EXPECT(f, 0xfa, 0x02);
	write_data(f, 0xf0);
	write_data(f, 0x02);
	EXPECT(f, 0xfa, 0xfa);
	write_data(f, 0xf0);
	write_data(f, 0x03);
	EXPECT(f, 0xfa, 0xfe);
	write_data(f, 0xf8); /* a command for set 3 */
	EXPECT(f, 0xfe);
	write_data(f, 0x12);
	EXPECT(f, 0xfe);
}

static void test_answers_are_translated(void **state)
{
	struct fixture *f = *state;

	write_data(f, 0xf0);
	write_data(f, 0x00);
	EXPECT(f, 0xfa, 0xfa, 0x41);
	write_data(f, 0xff);
	EXPECT(f, 0xfa, 0xaa);
}

static void test_resets(void **state)
{
	struct fixture *f = *state;

	command(f, 0xfe);
	assert_int_equal(f->resets, 1);
	command(f, 0xf0);
	assert_int_equal(f->resets, 2);
	command(f, 0xd1);
	write_data(f, 0xdf);
	assert_int_equal(f->resets, 2);
	command(f, 0xd1);
	write_data(f, 0xde);
	assert_int_equal(f->resets, 3);
	write_data(f, 0xfe); /* the keyboard's "resend" */
	assert_int_equal(f->resets, 3);
	assert_int_equal(metric_named(i8042_metrics(f->kbd), "resets"), 3);
}

static void test_ctrl_alt_del_translated(void **state)
{
	struct fixture *f = *state;

	enable(f, 0x65);
	assert_true(i8042_ctrl_alt_del(f->kbd));
	assert_int_equal(irq_edges(f->irq), 1);
	EXPECT(f, 0x1d, 0x38, 0xe0, 0x53, 0xe0, 0xd3, 0xb8, 0x9d);
	assert_int_equal(irq_edges(f->irq), 7);
}

static void test_ctrl_alt_del_in_set_2(void **state)
{
	struct fixture *f = *state;

	enable(f, 0x25);
	assert_true(i8042_ctrl_alt_del(f->kbd));
	EXPECT(f, 0x14, 0x11, 0xe0, 0x71, 0xe0, 0xf0, 0x71, 0xf0, 0x11, 0xf0, 0x14);
	assert_int_equal(irq_edges(f->irq), 11);
}

static void test_ctrl_alt_del_needs_a_driver(void **state)
{
	struct fixture *f = *state;

	assert_false(i8042_ctrl_alt_del(f->kbd)); /* nobody has touched anything */
	enable(f, 0x65);
	command(f, 0xad);
	assert_false(i8042_ctrl_alt_del(f->kbd)); /* interface disabled */
	command(f, 0xae);
	set_ctr(f, 0x64);
	assert_false(i8042_ctrl_alt_del(f->kbd)); /* interrupt off */
	set_ctr(f, 0x65);
	assert_int_equal(status(f) & FULL, 0);
	assert_true(i8042_ctrl_alt_del(f->kbd));
	/* Unread: a second one would not fit, and a part of one would leave Ctrl pressed. */
	assert_false(i8042_ctrl_alt_del(f->kbd));
	EXPECT(f, 0x1d, 0x38, 0xe0, 0x53, 0xe0, 0xd3, 0xb8, 0x9d);
	assert_true(i8042_ctrl_alt_del(f->kbd));
	EXPECT(f, 0x1d, 0x38, 0xe0, 0x53, 0xe0, 0xd3, 0xb8, 0x9d);
	assert_int_equal(metric_named(i8042_metrics(f->kbd), "dropped"), 11);
}

static void test_disabled_interface_holds_bytes(void **state)
{
	struct fixture *f = *state;

	enable(f, 0x65);
	write_data(f, 0xf2);
	assert_int_equal(data(f), 0xfa);
	command(f, 0xad);
	assert_int_equal(data(f), 0xab); /* that one was out already */
	assert_int_equal(status(f) & FULL, 0);
	(void)irq_edges(f->irq);
	command(f, 0xae);
	assert_int_equal(irq_edges(f->irq), 1);
	EXPECT(f, 0x41);
	command(f, 0xad);
	write_data(f, 0xee); /* a byte for the keyboard enables it again */
	EXPECT(f, 0xee);
}

/* A reply comes before a key, and the key interrupts again after it. */
static void test_reply_before_key(void **state)
{
	struct fixture *f = *state;

	enable(f, 0x65);
	write_data(f, 0xee);
	assert_int_equal(irq_edges(f->irq), 1);
	command(f, 0x20);
	assert_int_equal(irq_edges(f->irq), 1);
	assert_int_equal(data(f), 0x65);
	assert_int_equal(irq_edges(f->irq), 1);
	EXPECT(f, 0xee);
	assert_int_equal(irq_edges(f->irq), 0);
}

static void test_interrupt_when_switched_on(void **state)
{
	struct fixture *f = *state;

	write_data(f, 0xee);
	assert_int_equal(irq_edges(f->irq), 0);
	set_ctr(f, 0x65);
	assert_int_equal(irq_edges(f->irq), 1);
	set_ctr(f, 0x65);
	assert_int_equal(irq_edges(f->irq), 0);
	set_ctr(f, 0x64);
	set_ctr(f, 0x65);
	assert_int_equal(irq_edges(f->irq), 1);
	EXPECT(f, 0xee);
	set_ctr(f, 0x64);
	set_ctr(f, 0x65);
	assert_int_equal(irq_edges(f->irq), 0);
}

/* A guest that asks and never reads: whole answers are dropped, what was queued stays in order. */
static void test_flood(void **state)
{
	struct fixture *f = *state;
	unsigned n = 0;

	set_ctr(f, 0x24);
	for (int i = 0; i < 10000; i++)
		write_data(f, 0xf2);
	while (status(f) & FULL) {
		static const uint8_t id[] = {0xfa, 0xab, 0x83};

		assert_int_equal(data(f), id[n % 3]);
		n++;
	}
	assert_in_range(n, 15, 17);
	assert_int_equal(n % 3, 0);
	assert_int_equal(metric_named(i8042_metrics(f->kbd), "dropped"), 30000 - n);
	assert_int_equal(metric_named(i8042_metrics(f->kbd), "bytes"), n);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_empty_at_first),
		TEST(test_linux_probe),
		TEST(test_controller_commands),
		TEST(test_keyboard_commands),
		TEST(test_answers_are_translated),
		TEST(test_resets),
		TEST(test_ctrl_alt_del_translated),
		TEST(test_ctrl_alt_del_in_set_2),
		TEST(test_ctrl_alt_del_needs_a_driver),
		TEST(test_disabled_interface_holds_bytes),
		TEST(test_reply_before_key),
		TEST(test_interrupt_when_switched_on),
		TEST(test_flood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
