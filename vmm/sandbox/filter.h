/* SPDX-License-Identifier: Apache-2.0 */
/* What the build makes of profile.def (generate.c). */
#ifndef VOLT_VMM_SANDBOX_FILTER_H
#define VOLT_VMM_SANDBOX_FILTER_H

#include <linux/filter.h>
#include <sys/syscall.h>

#include "vmm/sandbox/sandbox.h"

struct sandbox_filter {
	const struct sock_filter *code;
	unsigned short len;
};

/* In the place of the process's own id, which is known only when the filter is installed. */
#define FILTER_OWN_PID 0x7F50494BU

/* A call that kills without a signal that could be handled: uselib(), which nobody has any more. */
#define FILTER_DIE SYS_uselib

#define FILTER_MAX 512 /* instructions */

/* Of volt-vmm: what is in no row kills. */
extern const struct sandbox_filter filters_kill[SANDBOX_THREADS];
/* Of volt-debug: what is in no row is logged by the kernel, and allowed. */
extern const struct sandbox_filter filters_log[SANDBOX_THREADS];
/* Of the tests: a tracer is told the number of the row, or FILTER_NO_ROW. */
extern const struct sandbox_filter filters_trace[SANDBOX_THREADS];

#define FILTER_NO_ROW 0xFFFFU

/* Names of system calls by their numbers; NULL: there is none. */
extern const char *const filter_call_names[];
extern const size_t filter_call_count;

#endif
