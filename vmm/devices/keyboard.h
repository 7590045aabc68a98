/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keyboard behind an i8042 (IBM Personal System/2 Hardware Interface Technical Reference,
 * "Keyboard (101/102-key)"): its command set, scan code set 2, and a queue of bytes for the
 * controller. It types one thing, Ctrl-Alt-Del. Embedded in the controller, under its lock.
 */
#ifndef VOLT_VMM_DEVICES_KEYBOARD_H
#define VOLT_VMM_DEVICES_KEYBOARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "vmm/state/lists.h"

#define KEYBOARD_QUEUE 16
#define KEYBOARD_RELEASE 0xf0 /* set 2: the key of the next byte went up */

/*
 * Zero-initialised: scanning, as after its self test. A Linux told not to talk to its keyboard
 * (i8042.dumbkbd) relies on that.
 */
struct keyboard {
	bool silent;       /* told not to scan */
	uint8_t command;   /* waits for its argument; or 0 */
	uint8_t last_sent; /* for the command that asks for it again */
	uint8_t queue[KEYBOARD_QUEUE];
	unsigned head, count;
	uint64_t dropped; /* bytes that did not fit: whole answers, whole key sequences */
};

/* A byte from the guest. */
void keyboard_write(struct keyboard *kbd, uint8_t value);

/* The next byte for the controller; false when there is none. */
V_MUST_CHECK bool keyboard_take(struct keyboard *kbd, uint8_t *byte);

/* Press and release Ctrl-Alt-Del; false: told not to scan, or too much is still unread. */
V_MUST_CHECK bool keyboard_ctrl_alt_del(struct keyboard *kbd);

/* False, with nothing changed: no keyboard is ever in that state. */
void keyboard_capture(const struct keyboard *kbd, struct keyboard_state *out);
V_MUST_CHECK bool keyboard_apply(struct keyboard *kbd, const struct keyboard_state *in);

/*
 * The controller's translation of a byte to set 1, for all bytes that this keyboard sends but
 * KEYBOARD_RELEASE, which becomes the top bit of the byte after it.
 */
uint8_t keyboard_translate(uint8_t byte, bool released);

#endif
