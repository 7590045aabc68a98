/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/devices/escape.h"

#define CTRL_A 0x01

const char escape_help[] = "\n"
			   "Ctrl-A X  stop the virtual machine\n"
			   "Ctrl-A A  send Ctrl-A\n"
			   "Ctrl-A H  this help\n";

enum escape_event escape_next(struct escape *escape, uint8_t byte,
			      uint8_t out[static ESCAPE_OUT_MAX], size_t *len)
{
	*len = 0;
	if (!escape->pressed) {
		escape->pressed = byte == CTRL_A;
		if (!escape->pressed)
			out[(*len)++] = byte;
		return ESCAPE_NONE;
	}
	escape->pressed = false;
	switch (byte) {
	case 'x':
	case 'X':
		return ESCAPE_QUIT;
	case 'h':
	case 'H':
	case '?':
		return ESCAPE_HELP;
	case 'a':
	case 'A':
	case CTRL_A:
		out[(*len)++] = CTRL_A;
		return ESCAPE_NONE;
	default:
		out[(*len)++] = CTRL_A;
		out[(*len)++] = byte;
		return ESCAPE_NONE;
	}
}
