/* SPDX-License-Identifier: Apache-2.0 */
/* The keys that speak to the monitor and not to the guest: Ctrl-A and one more. */
#ifndef VOLT_VMM_DEVICES_ESCAPE_H
#define VOLT_VMM_DEVICES_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero-initialised. */
struct escape {
	bool pressed; /* Ctrl-A was the last byte, and waits for the next */
};

enum escape_event { ESCAPE_NONE, ESCAPE_QUIT, ESCAPE_HELP };

/* What the keys do, for people; lines end in \n. */
extern const char escape_help[];

#define ESCAPE_OUT_MAX 2

/* Take one byte; `out` gets what goes on to the guest, at most ESCAPE_OUT_MAX bytes. */
enum escape_event escape_next(struct escape *escape, uint8_t byte,
			      uint8_t out[static ESCAPE_OUT_MAX], size_t *len);

#endif
