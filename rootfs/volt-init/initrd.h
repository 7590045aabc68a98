/* SPDX-License-Identifier: Apache-2.0 */
/* volt-init as /init of an initramfs: on to the root disk, and to the init that is on it. */
#ifndef VOLT_INIT_INITRD_H
#define VOLT_INIT_INITRD_H

#include <stdbool.h>

#include "rootfs/volt-init/options.h"
#include "rootfs/volt-init/port.h"
#include "rootfs/volt-init/why.h"

/*
 * Whether this is the way to a root disk: started as /init, by a kernel that was told root=, and
 * "/" is in memory. Without root= the initramfs is all there is, and the workload runs in it.
 */
bool initrd_leads_on(const struct options *options, char **argv);

/* Goes on there; returns only where that fails. "port" is given up for the time in between. */
int initrd_go(const struct options *options, char **argv, struct port *port, struct why *why);

#endif
