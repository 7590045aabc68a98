/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work that is told to end (Ctrl-C, SIGTERM, SIGHUP) and has something to clear first. Signals are
 * the process's, and so is the note that one came: where it is, is said in CONTRIBUTING.md.
 */
#ifndef VOLT_CLI_INTERRUPT_H
#define VOLT_CLI_INTERRUPT_H

#include <stdbool.h>

#include "base/verr.h"

/* From here on such a signal is noted, and a call that waits ends with EINTR. */
void interrupt_watch(void);

/* The signal that came, or 0. */
int interrupt_pending(void);

/* Wait for something to read, or for the end of it; false: a signal came, now or before. */
bool interrupt_wait(int fd);

/* A fault if one came. */
V_MUST_CHECK int interrupt_check(struct verr *e);

/* After clearing up: end as the signal that came would have ended us; without one go on. */
void interrupt_obey(void);

#endif
