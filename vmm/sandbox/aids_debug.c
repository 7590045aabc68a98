/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volt-debug: volt-vmm for whoever looks for a fault in it. It can be attached to, and what its
 * filters do not have is logged by the kernel (audit) instead of killed for. With VOLT_DEBUG_ROWS
 * set a tracer is told each call's row of profile.def: without one such calls fail (tests/rows).
 */
#include <stdlib.h>

#include "vmm/sandbox/aids.h"

/* Read while there is an environment. */
static bool rows;

static void begin(void)
{
	rows = getenv("VOLT_DEBUG_ROWS") != NULL;
}

static const struct sandbox_filter *filters(void)
{
	return rows ? filters_trace : filters_log;
}

static void entered(enum sandbox_thread thread)
{
	(void)thread;
}

const struct sandbox_aids sandbox_aids = {
	.debuggable = true, .filters = filters, .begin = begin, .entered = entered};
