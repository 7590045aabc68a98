/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process as Firecracker: its command line where it is called that, its configuration file, log
 * and metrics, and how it ends. What requests ask of it comes through here, too.
 */
#ifndef VOLT_VMM_MAIN_FIRECRACKER_H
#define VOLT_VMM_MAIN_FIRECRACKER_H

#include <stdbool.h>

#include "base/loop.h"
#include "vmm/config/config.h"
#include "vmm/machine/machine.h"

struct api_personality;
struct fc_process;

/* Statuses to exit with; those of signals are signals.c's. */
enum fc_status { FC_OK = 0, FC_FAILED = 1, FC_BAD_CONFIGURATION = 152, FC_BAD_ARGUMENTS = 153 };

/* For --personality: the rest of the command line is our own, and so is the log until PUT /logger.
 */
V_MUST_CHECK int fc_process_new(const char *id, struct fc_process **out, struct verr *e);
struct fc_process *fc_process_free(struct fc_process *p); /* accepts NULL, returns NULL */

/* Is the program called "firecracker"? */
bool fc_process_is_called(const char *argv0);

/*
 * Firecracker's own command line, with what it says put into `config`: a socket, or with a
 * configuration file all that makes a machine. Returns the status to exit with at once (what is to
 * be said has been), or -1.
 */
int fc_process_start(int argc, char *argv[], struct config *config, struct fc_process **out);

/* Does the log go where a client has said? Accepts NULL: no. */
bool fc_process_logs(const struct fc_process *p);

const struct api_personality *fc_process_api(const struct fc_process *p);

/* Before the start: what requests have said goes into `config`. */
V_MUST_CHECK int fc_process_configure(const struct fc_process *p, struct config *config,
				      struct verr *e);

/*
 * What requests have said is to load a snapshot: the file of its memory; NULL: it is not. Accepts
 * NULL. And the snapshot's configuration is in `config`.
 */
const char *fc_process_memory(const struct fc_process *p);
V_MUST_CHECK int fc_process_restored(const struct fc_process *p, struct config *config,
				     struct verr *e);

/* There is a machine (borrowed), which runs from here on; and it has ended, and is still there. */
V_MUST_CHECK int fc_process_run(struct fc_process *p, struct loop *loop,
				const struct machine *machine, struct verr *e);
void fc_process_stop(struct fc_process *p, int deadly_signal);

/* In between: write a line of metrics. */
void fc_process_report_metrics(const struct fc_process *p);

/* The status to exit with, by how the machine ended. */
int fc_process_status(const struct machine *machine);

/* Tell of a fault on stderr and, once that is a client's, in the log. Accepts NULL. */
int fc_process_report(const struct fc_process *p, const struct verr *fault, enum fc_status status);

#endif
