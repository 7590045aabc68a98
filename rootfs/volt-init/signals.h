/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each signal means to PID 1. From outside only the kernel can send one (Ctrl-Alt-Del); the
 * others come from programs in the guest, which expect to find one of the usual inits:
 *
 *	from                            sends           here
 *	the kernel, for Ctrl-Alt-Del    SIGINT          power off: it is how the monitor asks for an
 *end busybox reboot                  SIGTERM         restart busybox halt SIGUSR1         power off
 *	busybox poweroff                SIGUSR2         power off
 *	power supplies, containers      SIGPWR          power off
 *	tools that know systemd         SIGRTMIN+3      (halt) power off
 *	                                SIGRTMIN+4      power off
 *	                                SIGRTMIN+5, +6  restart (+6 is kexec)
 *	systemctl, sysvinit             /run/initctl    see initctl.h
 *	anyone, to reach the workload   HUP QUIT WINCH CONT  passed on to its process group
 *
 * "Halt" is a power off because a halted machine would keep its monitor waiting for ever. All are
 * blocked and taken one by one: no handler runs.
 */
#ifndef VOLT_INIT_SIGNALS_H
#define VOLT_INIT_SIGNALS_H

#include <signal.h>

enum signal_action {
	SIGNAL_IGNORE,
	SIGNAL_REAP,
	SIGNAL_FORWARD,
	SIGNAL_POWER_OFF,
	SIGNAL_RESTART,
	SIGNAL_INITCTL, /* something was written to /run/initctl */
};

enum signal_action signals_action(int signo);

/* Blocks all but those that report a fault of volt-init's own. */
void signals_block(void);

/* For the workload: nothing blocked. */
void signals_unblock(void);

/* The next signal, whichever. */
int signals_wait(void);

/* Waits for a child to change, at most so long; returns early for no reason at times. */
void signals_wait_child(long milliseconds);

#endif
