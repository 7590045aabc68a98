/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /run/initctl, the pipe on which sysvinit takes requests. systemctl (and so the poweroff, reboot
 * and halt of a systemd distribution) writes there where PID 1 is not systemd; so does telinit.
 */
#ifndef VOLT_INIT_INITCTL_H
#define VOLT_INIT_INITCTL_H

#include <stddef.h>

#include "rootfs/volt-init/power.h"

/* Makes the pipe; each request on it raises SIGIO. Returns the descriptor, or -1 with errno. */
int initctl_open(void);

/* What the requests waiting on the pipe ask for, the first one that asks for an end. */
enum ending initctl_read(int fd);

/* What one request of "size" bytes asks for. */
enum ending initctl_parse(const void *request, size_t size);

#endif
