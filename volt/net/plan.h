/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From one state of a bridge to another: from nothing to what was asked for, with more TAP devices,
 * back to nothing. Each step brings one kind of thing there, changes only what is not so yet, and
 * tells each change on standard output; a dry run tells the same and changes nothing. So undoing
 * what failed half-way is the way back, and so is teardown.
 */
#ifndef VOLT_VOLT_NET_PLAN_H
#define VOLT_VOLT_NET_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "volt/net/record.h"

struct plan {
	const struct net_setup *from, *to; /* NULL: nothing; not both */
	bool dry;
	bool undoing;
	bool forgotten; /* systemd-networkd has no units of `from` any more */
	size_t changes; /* how many were made */
};

/* A way that fails ends where it began; one to nothing ends where it failed, to be gone again. */
V_MUST_CHECK int plan_run(struct plan *p, struct verr *e);

/* --- for the steps --- */

typedef int plan_step(struct plan *p, struct verr *e);

/* Tell a change. */
void plan_tell(struct plan *p, const char *fmt, ...) V_PRINTF(2, 3);

/* A file that everybody may read: systemd-networkd is an ordinary user, and so may "status" be. */
V_MUST_CHECK int plan_write(const char *path, const char *text, struct verr *e);

plan_step plan_units, plan_record, plan_links, plan_bridge, plan_taps, plan_forwarding, plan_nat;

#endif
