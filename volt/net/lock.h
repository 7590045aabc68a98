/* SPDX-License-Identifier: Apache-2.0 */
/* One change of the host's network at a time; and where records of what does not outlive a boot
 * are. */
#ifndef VOLT_VOLT_NET_LOCK_H
#define VOLT_VOLT_NET_LOCK_H

#include <stdbool.h>

#include "base/verr.h"

typedef int net_change_fn(void *context, struct verr *e);

/*
 * Make a change, as the only one, which a signal ends in order; `dry`: only tell it, which needs
 * neither the lock nor root's rights. `verb` is for the fault. Where no record stays, nothing else
 * does. Does not return after a signal; nobody reading its output does not end it.
 */
V_MUST_CHECK int net_change(const char *verb, bool dry, net_change_fn *fn, void *context,
			    struct verr *e);

#endif
