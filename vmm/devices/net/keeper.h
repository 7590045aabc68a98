/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whoever makes an interface that the kernel would keep has it removed: by a child process that
 * waits for this one's end, in whatever way that comes, and does nothing else. It keeps the rights
 * that it takes, when this process has long given up its own.
 */
#ifndef VOLT_VMM_DEVICES_NET_KEEPER_H
#define VOLT_VMM_DEVICES_NET_KEEPER_H

#include "base/verr.h"

struct keeper;

/* Of the interface with this index, in this network namespace. */
V_MUST_CHECK int keeper_new(unsigned index, struct keeper **out, struct verr *e);

/* The interface goes; returns when it is gone. Accepts NULL, returns NULL. */
struct keeper *keeper_free(struct keeper *k);

#endif
