/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Feed the keyboard controller as a guest's vCPU would, with Ctrl-Alt-Del from the host between.
 * Whatever comes, what waits for the guest is bounded, a byte that is announced is there, and no
 * key stays pressed.
 */
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/devices/i8042.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(what)              \
	do {                     \
		if (!(what))     \
			abort(); \
	} while (0)

/* The keyboard's queue of 16, its latch, and the controller's reply. */
#define MOST_WAITING 18

static void on_reset(void *arg)
{
	(*(size_t *)arg)++;
}

static bool full(struct i8042 *kbd)
{
	return (i8042_command_pio.in(kbd, 0) & 1) != 0;
}

/* Read until nothing waits; the last `keep` bytes go to `tail`. */
static unsigned drain(struct i8042 *kbd, uint8_t *tail, unsigned keep)
{
	unsigned n = 0;

	while (full(kbd)) {
		uint8_t byte = i8042_data_pio.in(kbd, 0);

		CHECK(++n <= MOST_WAITING);
		for (unsigned i = 0; i + 1 < keep; i++)
			tail[i] = tail[i + 1];
		if (keep > 0)
			tail[keep - 1] = byte;
	}
	return n;
}

/* Once the queue is empty an enabled keyboard takes a whole Ctrl-Alt-Del, and gives it whole. */
static void press_keys(struct i8042 *kbd, int irq)
{
	static const uint8_t keys[] = {0x1d, 0x38, 0xe0, 0x53, 0xe0, 0xd3, 0xb8, 0x9d};
	uint8_t tail[sizeof(keys)];
	uint64_t edges;

	/* Enable all, whatever command waits for its argument. */
	i8042_command_pio.out(kbd, 0, 0x60);
	i8042_data_pio.out(kbd, 0, 0x65);
	for (int i = 0; i < 2; i++)
		i8042_data_pio.out(kbd, 0, 0xf4);
	(void)drain(kbd, NULL, 0);
	for (int i = 0; i < 2; i++)
		i8042_data_pio.out(kbd, 0, 0xf4);
	(void)drain(kbd, NULL, 0);
	(void)!read(irq, &edges, sizeof(edges));
	CHECK(i8042_ctrl_alt_del(kbd));
	CHECK(read(irq, &edges, sizeof(edges)) == (ssize_t)sizeof(edges));
	CHECK(drain(kbd, tail, sizeof(tail)) == sizeof(keys));
	for (size_t i = 0; i < sizeof(keys); i++)
		CHECK(tail[i] == keys[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t resets = 0;
	struct i8042_options options = {
		.irq = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), .reset = on_reset, .arg = &resets};
	struct i8042 *kbd = NULL;
	struct verr e = VERR_INIT;

	CHECK(i8042_new(&options, &kbd, &e) == 0);
	for (size_t i = 0; i + 1 < size; i += 2) {
		uint8_t op = data[i] % 8, value = data[i + 1];

		if (op < 3)
			i8042_data_pio.out(kbd, 0, value);
		else if (op < 5)
			i8042_command_pio.out(kbd, 0, value);
		else if (op == 5)
			(void)i8042_data_pio.in(kbd, 0);
		else if (op == 6)
			(void)i8042_ctrl_alt_del(kbd);
		else
			(void)full(kbd);
	}
	CHECK(resets <= size);
	i8042_command_pio.out(kbd, 0, 0xae);
	(void)drain(kbd, NULL, 0);
	press_keys(kbd, options.irq);
	kbd = i8042_free(kbd);
	(void)close(options.irq);
	return 0;
}
