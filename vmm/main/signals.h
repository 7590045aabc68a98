/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals of the process. SIGTERM, SIGINT and SIGHUP ask the guest to shut down, a second one ends
 * it; SIGQUIT ends it at once; SIGUSR1 reports; SIGCONT puts the terminal back into raw mode;
 * SIGPIPE is ignored. A fatal signal restores the terminal, then takes its default course; but where
 * the host has taken memory away (SIGBUS), the log says so, and the process ends as one that failed.
 *
 * As Firecracker has it: SIGTERM, SIGINT and SIGQUIT end the machine, then the process, whose
 * parent sees that signal; SIGHUP and fatal ones end it with a status of their own.
 */
#ifndef VOLT_VMM_MAIN_SIGNALS_H
#define VOLT_VMM_MAIN_SIGNALS_H

#include "base/loop.h"

struct machine;
struct signals;

enum signals_manner { SIGNALS_ASK_GUEST, SIGNALS_AS_FIRECRACKER };

/* Before any second thread exists: blocks the signals that the loop takes. */
V_MUST_CHECK int signals_new(struct loop *loop, enum signals_manner manner, struct signals **out,
			     struct verr *e);
struct signals *signals_free(struct signals *signals); /* accepts NULL, returns NULL */

/*
 * Act on `machine` (borrowed) from now on, until signals_forget(); SIGUSR1 calls `report` with
 * `arg`. `failed`: the status with which the process ends where the host fails.
 */
void signals_watch(struct signals *signals, struct machine *machine, int failed, loop_fn *report,
		   void *arg);

/* There is no machine yet: whatever would end one calls `quit` with `arg`. */
void signals_wait(struct signals *signals, loop_fn *quit, void *arg);
void signals_forget(struct signals *signals); /* accepts NULL */

/* The signal that has ended the machine, as Firecracker has it; 0: none. Accepts NULL. */
int signals_deadly(const struct signals *signals);

/*
 * With everything closed: die of it, as far as its default course is that. Returns the status to
 * exit with else.
 */
int signals_die(int number);

#endif
