/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/devices/keyboard.h"

enum {
	CMD_LEDS = 0xed,
	CMD_ECHO = 0xee,
	CMD_SCANCODE_SET = 0xf0,
	CMD_IDENTIFY = 0xf2,
	CMD_RATE = 0xf3,
	CMD_ENABLE = 0xf4,
	CMD_DISABLE = 0xf5,
	CMD_DEFAULTS = 0xf6,
	CMD_RESEND = 0xfe,
	CMD_RESET = 0xff
};

enum { ANSWER_PASSED = 0xaa, ANSWER_ACK = 0xfa, ANSWER_RESEND = 0xfe };

/* Scan codes of set 2. */
enum { KEY_ALT = 0x11, KEY_CTRL = 0x14, KEY_EXTENDED = 0xe0, KEY_DEL = 0x71 };

uint8_t keyboard_translate(uint8_t byte, bool released)
{
	switch (byte) {
	case 0x01: /* scan code set 1, as an answer */
		byte = 0x43;
		break;
	case 0x02: /* scan code set 2, as an answer */
	case 0x83: /* the end of the identification */
		byte = 0x41;
		break;
	case KEY_ALT:
		byte = 0x38;
		break;
	case KEY_CTRL:
		byte = 0x1d;
		break;
	case KEY_DEL:
		byte = 0x53;
		break;
	default: /* KEY_EXTENDED and answers stay as they are */
		break;
	}
	return released ? byte | 0x80 : byte;
}

static bool send(struct keyboard *k, const uint8_t *bytes, unsigned len)
{
	if (len > KEYBOARD_QUEUE - k->count) {
		k->dropped += len;
		return false;
	}
	for (unsigned i = 0; i < len; i++)
		k->queue[(k->head + k->count++) % KEYBOARD_QUEUE] = bytes[i];
	return true;
}

/* The bytes in the queue are the guest's loss when it asks and does not read. */
static void answer(struct keyboard *k, uint8_t byte)
{
	(void)send(k, &byte, 1);
}

static void run_command(struct keyboard *k, uint8_t command)
{
	static const uint8_t id[] = {ANSWER_ACK, 0xab, 0x83};
	static const uint8_t passed[] = {ANSWER_ACK, ANSWER_PASSED};

	switch (command) {
	case CMD_LEDS:
	case CMD_RATE:
	case CMD_SCANCODE_SET:
		k->command = command;
		answer(k, ANSWER_ACK);
		break;
	case CMD_ECHO:
		answer(k, CMD_ECHO);
		break;
	case CMD_IDENTIFY:
		(void)send(k, id, sizeof(id));
		break;
	case CMD_ENABLE:
	case CMD_DISABLE:
		k->count = 0;
		k->silent = command == CMD_DISABLE;
		answer(k, ANSWER_ACK);
		break;
	case CMD_DEFAULTS:
		answer(k, ANSWER_ACK);
		break;
	case CMD_RESEND:
		answer(k, k->last_sent);
		break;
	case CMD_RESET:
		k->count = 0;
		k->silent = false;
		(void)send(k, passed, sizeof(passed));
		break;
	default: /* unknown, or about the sets 1 and 3, which this keyboard has not */
		answer(k, ANSWER_RESEND);
		break;
	}
}

static void run_argument(struct keyboard *k, uint8_t command, uint8_t value)
{
	static const uint8_t current_set[] = {ANSWER_ACK, 2};

	/* LEDs and typing rate are accepted and mean nothing here. */
	if (command != CMD_SCANCODE_SET || value == 2)
		answer(k, ANSWER_ACK);
	else if (value == 0)
		(void)send(k, current_set, sizeof(current_set));
	else
		answer(k, ANSWER_RESEND);
}

void keyboard_write(struct keyboard *k, uint8_t value)
{
	uint8_t command = k->command;

	k->command = 0;
	if (command != 0)
		run_argument(k, command, value);
	else
		run_command(k, value);
}

bool keyboard_take(struct keyboard *k, uint8_t *byte)
{
	if (k->count == 0)
		return false;
	*byte = k->queue[k->head];
	k->head = (k->head + 1) % KEYBOARD_QUEUE;
	k->count--;
	k->last_sent = *byte;
	return true;
}

bool keyboard_ctrl_alt_del(struct keyboard *k)
{
	/* Up in the opposite order. */
	static const uint8_t keys[] = {
		KEY_CTRL,     KEY_ALT,          KEY_EXTENDED, KEY_DEL,
		KEY_EXTENDED, KEYBOARD_RELEASE, KEY_DEL,      KEYBOARD_RELEASE,
		KEY_ALT,      KEYBOARD_RELEASE, KEY_CTRL,
	};

	return !k->silent && send(k, keys, sizeof(keys));
}

static bool takes_argument(uint8_t command)
{
	return command == CMD_LEDS || command == CMD_RATE || command == CMD_SCANCODE_SET;
}

void keyboard_capture(const struct keyboard *k, struct keyboard_state *out)
{
	*out = (struct keyboard_state){.silent = k->silent,
				       .command = k->command,
				       .last_sent = k->last_sent,
				       .queue_count = k->count};
	for (unsigned i = 0; i < k->count; i++)
		out->queue[i] = k->queue[(k->head + i) % KEYBOARD_QUEUE];
}

bool keyboard_apply(struct keyboard *k, const struct keyboard_state *in)
{
	_Static_assert(sizeof(in->queue) == KEYBOARD_QUEUE, "the queue fits");
	if (in->command != 0 && !takes_argument(in->command))
		return false;
	*k = (struct keyboard){.silent = in->silent,
			       .command = in->command,
			       .last_sent = in->last_sent,
			       .count = in->queue_count};
	for (unsigned i = 0; i < k->count; i++)
		k->queue[i] = in->queue[i];
	return true;
}
