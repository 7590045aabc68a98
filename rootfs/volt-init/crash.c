/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/crash.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "contract/workload.h"
#include "rootfs/volt-init/port.h"
#include "rootfs/volt-init/power.h"

static void on_fault(int signo, siginfo_t *info, void *context)
{
	static const char line[] = "volt-init: a mistake of its own, powering off\n";
	struct port port;

	(void)signo;
	(void)context;
	/* Sent by a process: root may ask for anything, but not for this. */
	if (info->si_code <= 0)
		return;
	if (write(STDERR_FILENO, line, sizeof(line) - 1) < 0) {
		/* There is nobody else to tell. */
	}
	port_open(&port);
	port_status(&port, VOLT_STATUS_FAILED);
	sync();
	power_end(power_possible(ENDING_POWER_OFF));
}

void crash_guard(void)
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		(void)sigaction(faults[i], &action, NULL);
}
