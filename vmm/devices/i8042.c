/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation. The controller is described in the IBM Personal System/2 Hardware Interface
 * Technical Reference, "Keyboard and Auxiliary Device Controller".
 *
 * The guest sees one output buffer. Two latches stand behind it: `reply`, what the controller
 * itself answers, and `key`, the next byte of the keyboard, translated on its way if the guest
 * wants that. A reply goes first, so that no key can be taken for the answer to a command; a new
 * reply replaces an unread one, as in the chip. All other bytes wait in the keyboard's queue.
 *
 * The interrupt line is "output buffer full" and CTR_INTERRUPT. Each byte that the output buffer
 * comes to show gives an edge, and so does switching the interrupt on while it shows one.
 *
 * It starts as firmware may leave it: translating, interrupt off. So it is the guest's driver, and
 * nothing else, that makes it ready for Ctrl-Alt-Del.
 */
#include "vmm/devices/i8042.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/compiler.h"
#include "vmm/devices/keyboard.h"

enum { STATUS_FULL = 0x01, STATUS_SYSTEM = 0x04, STATUS_COMMAND = 0x08, STATUS_UNLOCKED = 0x10 };

/* The command byte. */
enum {
	CTR_INTERRUPT = 0x01,
	CTR_SYSTEM = 0x04,
	CTR_DISABLED = 0x10, /* the keyboard's interface */
	CTR_AUX_DISABLED = 0x20,
	CTR_TRANSLATE = 0x40
};

enum {
	CMD_READ_CTR = 0x20,
	CMD_READ_RAM_LAST = 0x3f,
	CMD_WRITE_CTR = 0x60,
	CMD_WRITE_RAM_LAST = 0x7f,
	CMD_AUX_DISABLE = 0xa7,
	CMD_AUX_ENABLE = 0xa8,
	CMD_AUX_TEST = 0xa9,
	CMD_SELF_TEST = 0xaa,
	CMD_INTERFACE_TEST = 0xab,
	CMD_DISABLE = 0xad,
	CMD_ENABLE = 0xae,
	CMD_READ_INPUT = 0xc0,
	CMD_READ_OUTPUT = 0xd0,
	CMD_WRITE_OUTPUT = 0xd1,
	CMD_WRITE_BUFFER = 0xd2,
	CMD_AUX_LOOP = 0xd3,
	CMD_AUX_WRITE = 0xd4,
	CMD_PULSE = 0xf0 /* to 0xff: a clear bit pulses that line of the output port */
};

/* The output port: OUTPUT_RUN clear holds the processor in reset; the A20 gate means nothing. */
enum { OUTPUT_RUN = 0x01, OUTPUT_FULL = 0x10, OUTPUT_KEPT = 0xcf };

struct latch {
	uint8_t byte;
	bool full;
};

struct i8042_counters {
	counter bytes, interrupts, dropped, resets;
};

struct i8042 {
	struct i8042_options options;
	struct i8042_counters counters;
	pthread_mutex_t lock;
	/* lock: everything below */
	uint8_t ctr, output;
	uint8_t command; /* waits for its argument at the data port; or 0 */
	bool last_was_command;
	bool releasing;    /* the translation has swallowed KEYBOARD_RELEASE */
	uint8_t last_read; /* what the data port shows when there is nothing new */
	struct latch reply, key;
	bool unseen; /* the byte that is shown has not given its edge */
	struct keyboard keyboard;
};

static bool buffer_full(const struct i8042 *k)
{
	return k->reply.full || k->key.full;
}

/* Move the keyboard's next byte into its latch, if that is free and the interface enabled. */
static void load_key(struct i8042 *k)
{
	uint8_t byte;

	while (!k->key.full && !(k->ctr & CTR_DISABLED) && keyboard_take(&k->keyboard, &byte)) {
		if (k->ctr & CTR_TRANSLATE) {
			if (byte == KEYBOARD_RELEASE) {
				k->releasing = true;
				continue;
			}
			byte = keyboard_translate(byte, k->releasing);
		}
		k->releasing = false;
		k->key = (struct latch){.byte = byte, .full = true};
		k->unseen = k->unseen || !k->reply.full;
	}
}

/* End of an access: show what is next, interrupt, unlock. */
static void finish_access(struct i8042 *k)
{
	load_key(k);
	if (k->unseen && buffer_full(k) && (k->ctr & CTR_INTERRUPT)) {
		uint64_t one = 1;
		/* Cannot block; fails only when 2^64-2 edges are pending. */
		ssize_t n = write(k->options.irq, &one, sizeof(one));

		(void)n;
		counter_add(&k->counters.interrupts, 1);
		k->unseen = false;
	}
	counter_add(&k->counters.dropped, k->keyboard.dropped);
	k->keyboard.dropped = 0;
	(void)pthread_mutex_unlock(&k->lock);
}

static void reply(struct i8042 *k, unsigned byte)
{
	k->reply = (struct latch){.byte = (uint8_t)byte, .full = true};
	k->unseen = true;
}

static void ask_reset(struct i8042 *k)
{
	counter_add(&k->counters.resets, 1);
	k->options.reset(k->options.arg);
}

static void write_ctr(struct i8042 *k, uint8_t value)
{
	if ((value & CTR_INTERRUPT) && !(k->ctr & CTR_INTERRUPT))
		k->unseen = buffer_full(k);
	k->ctr = value;
}

/* The argument of an earlier command. */
static void run_argument(struct i8042 *k, uint8_t command, uint8_t value)
{
	switch (command) {
	case CMD_WRITE_CTR:
		write_ctr(k, value);
		break;
	case CMD_WRITE_OUTPUT:
		k->output = value & OUTPUT_KEPT;
		if (!(value & OUTPUT_RUN))
			ask_reset(k);
		break;
	case CMD_WRITE_BUFFER:
	case CMD_AUX_LOOP:
		/*
		 * The loop's byte is not marked as the auxiliary device's: the driver sees at once
		 * that there is none, where silence would cost it a timeout of half a second.
		 */
		reply(k, value);
		break;
	default: /* to the controller's RAM, or to the mouse that is not there */
		break;
	}
}

static void run_command(struct i8042 *k, uint8_t command)
{
	switch (command) {
	case CMD_READ_CTR:
		reply(k, k->ctr);
		break;
	case CMD_WRITE_OUTPUT:
	case CMD_WRITE_BUFFER:
	case CMD_AUX_LOOP:
	case CMD_AUX_WRITE:
		k->command = command;
		break;
	case CMD_AUX_TEST:
		reply(k, 0x01); /* clock line stuck low: nothing there */
		break;
	case CMD_SELF_TEST:
		k->ctr |= CTR_SYSTEM;
		reply(k, 0x55); /* passed */
		break;
	case CMD_INTERFACE_TEST:
		reply(k, 0x00); /* passed */
		break;
	case CMD_DISABLE:
		k->ctr |= CTR_DISABLED;
		break;
	case CMD_ENABLE:
		k->ctr &= (uint8_t)~CTR_DISABLED;
		break;
	case CMD_READ_INPUT:
		reply(k, 0x80); /* keyboard not locked */
		break;
	case CMD_READ_OUTPUT:
		reply(k, k->output | (buffer_full(k) ? (unsigned)OUTPUT_FULL : 0U));
		break;
	case CMD_AUX_DISABLE:
	case CMD_AUX_ENABLE:
	default: /* nothing to do, or unknown: the chip ignores those */
		break;
	}
}

static void command_write(struct i8042 *k, uint8_t command)
{
	if (command >= CMD_PULSE) {
		if (!(command & OUTPUT_RUN))
			ask_reset(k);
	} else if (command > CMD_READ_CTR && command <= CMD_READ_RAM_LAST) {
		reply(k, 0);
	} else if (command >= CMD_WRITE_CTR && command <= CMD_WRITE_RAM_LAST) {
		k->command = command;
	} else {
		run_command(k, command);
	}
}

static uint8_t data_read(struct i8042 *k)
{
	struct latch *shown = k->reply.full ? &k->reply : &k->key;

	if (!shown->full)
		return k->last_read;
	k->last_read = shown->byte;
	shown->full = false;
	/* A key that waited behind a reply is shown now. */
	k->unseen = k->key.full;
	counter_add(&k->counters.bytes, 1);
	return k->last_read;
}

static uint8_t i8042_data_in(void *device, uint16_t offset)
{
	struct i8042 *k = device;
	uint8_t value;

	(void)offset;
	(void)pthread_mutex_lock(&k->lock);
	value = data_read(k);
	finish_access(k);
	return value;
}

static void i8042_data_out(void *device, uint16_t offset, uint8_t value)
{
	struct i8042 *k = device;
	uint8_t command;

	(void)offset;
	(void)pthread_mutex_lock(&k->lock);
	command = k->command;
	k->command = 0;
	k->last_was_command = false;
	if (command != 0) {
		run_argument(k, command, value);
	} else {
		/* Sending to the keyboard enables a disabled interface. */
		k->ctr &= (uint8_t)~CTR_DISABLED;
		keyboard_write(&k->keyboard, value);
	}
	finish_access(k);
}

static uint8_t i8042_command_in(void *device, uint16_t offset)
{
	struct i8042 *k = device;
	unsigned status = STATUS_UNLOCKED;

	(void)offset;
	(void)pthread_mutex_lock(&k->lock);
	status |= buffer_full(k) ? STATUS_FULL : 0;
	status |= k->ctr & CTR_SYSTEM ? STATUS_SYSTEM : 0;
	status |= k->last_was_command ? STATUS_COMMAND : 0;
	(void)pthread_mutex_unlock(&k->lock);
	return (uint8_t)status;
}

static void i8042_command_out(void *device, uint16_t offset, uint8_t value)
{
	struct i8042 *k = device;

	(void)offset;
	(void)pthread_mutex_lock(&k->lock);
	k->command = 0;
	k->last_was_command = true;
	command_write(k, value);
	finish_access(k);
}

const struct pio_ops i8042_data_pio = {.in = i8042_data_in, .out = i8042_data_out};
const struct pio_ops i8042_command_pio = {.in = i8042_command_in, .out = i8042_command_out};

bool i8042_ctrl_alt_del(struct i8042 *k)
{
	bool ready, sent;

	(void)pthread_mutex_lock(&k->lock);
	ready = (k->ctr & CTR_INTERRUPT) && !(k->ctr & CTR_DISABLED);
	sent = ready && keyboard_ctrl_alt_del(&k->keyboard);
	finish_access(k);
	return sent;
}

/* --- saved state --- */

static void capture_latch(const struct latch *l, uint8_t *out, uint32_t *count)
{
	*out = l->byte;
	*count = l->full;
}

void i8042_capture(struct i8042 *k, struct i8042_state *out)
{
	(void)pthread_mutex_lock(&k->lock);
	*out = (struct i8042_state){.ctr = k->ctr,
				    .output = k->output,
				    .command = k->command,
				    .last_was_command = k->last_was_command,
				    .releasing = k->releasing,
				    .last_read = k->last_read,
				    .keyboard_count = 1};
	capture_latch(&k->reply, out->reply, &out->reply_count);
	capture_latch(&k->key, out->key, &out->key_count);
	keyboard_capture(&k->keyboard, &out->keyboard[0]);
	(void)pthread_mutex_unlock(&k->lock);
}

static bool takes_argument(uint8_t command)
{
	return (command >= CMD_WRITE_CTR && command <= CMD_WRITE_RAM_LAST) ||
	       (command >= CMD_WRITE_OUTPUT && command <= CMD_AUX_WRITE);
}

int i8042_apply(struct i8042 *k, const struct i8042_state *in, struct verr *e)
{
	bool possible = (in->command == 0 || takes_argument(in->command)) &&
			!(in->output & ~OUTPUT_KEPT) && in->keyboard_count == 1;

	(void)pthread_mutex_lock(&k->lock);
	if (!possible || !keyboard_apply(&k->keyboard, &in->keyboard[0])) {
		(void)pthread_mutex_unlock(&k->lock);
		return verr_corrupt(e, "the i8042 is in a state that it cannot be in");
	}
	k->ctr = in->ctr;
	k->output = in->output;
	k->command = in->command;
	k->last_was_command = in->last_was_command;
	k->releasing = in->releasing;
	k->last_read = in->last_read;
	k->reply = (struct latch){.byte = in->reply[0], .full = in->reply_count == 1};
	k->key = (struct latch){.byte = in->key[0], .full = in->key_count == 1};
	k->unseen = buffer_full(k);
	finish_access(k);
	return 0;
}

int i8042_new(const struct i8042_options *options, struct i8042 **out, struct verr *e)
{
	struct i8042 *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return verr_host(e, "keyboard controller: out of memory");
	k->options = *options;
	k->ctr = CTR_SYSTEM | CTR_AUX_DISABLED | CTR_TRANSLATE;
	k->output = OUTPUT_KEPT;
	(void)pthread_mutex_init(&k->lock, NULL);
	*out = k;
	return 0;
}

struct i8042 *i8042_free(struct i8042 *k)
{
	if (k != NULL) {
		(void)pthread_mutex_destroy(&k->lock);
		free(k);
	}
	return NULL;
}

struct metric_group i8042_metrics(const struct i8042 *k)
{
	static const struct metric_row rows[] = {
		{"bytes", "bytes that the guest read", offsetof(struct i8042_counters, bytes)},
		{"interrupts", "interrupt edges", offsetof(struct i8042_counters, interrupts)},
		{"dropped", "keyboard bytes that did not fit",
		 offsetof(struct i8042_counters, dropped)},
		{"resets", "resets that the guest asked for",
		 offsetof(struct i8042_counters, resets)},
	};

	return (struct metric_group){
		.name = "i8042", .rows = rows, .count = ARRAY_LEN(rows), .base = &k->counters};
}
