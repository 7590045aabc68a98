/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals of the process. SIGTERM, SIGINT and SIGHUP ask the guest to shut down, a second one ends
 * it; SIGQUIT ends it at once; SIGUSR1 reports; SIGCONT puts the terminal back into raw mode;
 * SIGPIPE is ignored. A fatal signal restores the terminal, then takes its default course.
 */
#ifndef VOLT_VMM_MAIN_SIGNALS_H
#define VOLT_VMM_MAIN_SIGNALS_H

#include "base/loop.h"

struct machine;
struct signals;

/* Before any second thread exists: blocks the signals that the loop takes. */
V_MUST_CHECK int signals_new(struct loop *loop, struct signals **out, struct verr *e);
struct signals *signals_free(struct signals *signals); /* accepts NULL, returns NULL */

/*
 * Act on `machine` (borrowed) from now on, until signals_forget(); SIGUSR1 calls `report` with
 * `arg`.
 */
void signals_watch(struct signals *signals, struct machine *machine, loop_fn *report, void *arg);

/* There is no machine yet: whatever would end one calls `quit` with `arg`. */
void signals_wait(struct signals *signals, loop_fn *quit, void *arg);
void signals_forget(struct signals *signals); /* accepts NULL */

#endif
