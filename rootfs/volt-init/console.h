/* SPDX-License-Identifier: Apache-2.0 */
/* The terminal that PID 1 starts with and hands to the workload. */
#ifndef VOLT_INIT_CONSOLE_H
#define VOLT_INIT_CONSOLE_H

#include <sys/types.h>

/*
 * Makes /dev/console standard input, output and error. The kernel may have opened one already, but
 * from a /dev that is no longer in sight, so that ttyname() and /dev/stdout would not find it; or
 * none, from an initramfs without device nodes. /dev/null where there is no console at all.
 */
void console_open(void);

/*
 * Makes PID 1 the leader of a session whose controlling terminal is the console. When a leader
 * ends, the kernel throws away what its terminal has not sent yet: PID 1 does not end, so the last
 * words of the workload arrive. Without a terminal only the session.
 */
void console_claim(void);

/*
 * For the process that becomes the workload, before it gives up root: a process group in the
 * foreground of the console (job control, Ctrl-C), which belongs to "uid".
 */
void console_take(uid_t uid);

/* Waits, for a bounded time, until the console has sent what was written to it. */
void console_drain(void);

#endif
