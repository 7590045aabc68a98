/* SPDX-License-Identifier: Apache-2.0 */
/* The last resort against a mistake in volt-init itself. */
#ifndef VOLT_INIT_CRASH_H
#define VOLT_INIT_CRASH_H

/*
 * From here on a fault of PID 1 (a bad address, an illegal instruction) ends in one line, status
 * 125 and a power off, where the kernel would panic.
 */
void crash_guard(void);

#endif
