/* SPDX-License-Identifier: Apache-2.0 */
/* Terminals: raw mode and back under job control, and pseudo-terminals. */
#ifndef VOLT_VMM_DEVICES_TERM_H
#define VOLT_VMM_DEVICES_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

#include "base/verr.h"

struct term {
	int fd;               /* borrowed; a terminal, or -1 */
	_Atomic bool raw;     /* `saved` holds what to restore */
	struct termios saved; /* constant once `raw` is set */
};

#define TERM_INIT         \
	{                 \
		.fd = -1, \
	}

/*
 * Does another process group have the terminal? Then changing it would stop this process
 * (SIGTTOU), and so would reading (SIGTTIN).
 */
bool term_in_background(const struct term *term);

/*
 * Raw input: every key reaches the guest, Ctrl-C too. Output stays processed, so that log lines on
 * the same terminal start at its left edge. Does nothing in the background. Again after SIGCONT.
 */
void term_make_raw(struct term *term);

/* As it was before the first term_make_raw(). Async-signal-safe; nothing in the background. */
void term_restore(const struct term *term);

struct term_pty {
	int master; /* does not block */
	int slave;  /* kept open, or the master would report a hang-up whenever nobody has it */
	char name[32];
};

/* A new pseudo-terminal whose slave neither echoes nor changes a byte. */
V_MUST_CHECK int term_pty_open(struct term_pty *pty, struct verr *e);

#endif
