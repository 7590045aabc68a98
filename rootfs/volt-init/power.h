/* SPDX-License-Identifier: Apache-2.0 */
/* How the machine ends. */
#ifndef VOLT_INIT_POWER_H
#define VOLT_INIT_POWER_H

#include <stdbool.h>

enum ending {
	ENDING_NONE,
	ENDING_POWER_OFF,
	ENDING_RESTART,
};

/* Makes the kernel tell PID 1 of Ctrl-Alt-Del (SIGINT) in place of a restart on the spot. */
void power_claim_keys(bool debug);

/*
 * What can be done for "wanted" on this machine: without ACPI the kernel cannot switch it off and
 * would stop its processors for ever, while a restart ends the monitor. Asks /sys.
 */
enum ending power_possible(enum ending wanted);

/*
 * Keep the kernel's "Power down" off the console, which is the workload's standard output. Needs
 * /proc; nothing that the kernel says after this is seen.
 */
void power_hush(void);

_Noreturn void power_end(enum ending ending);

#endif
