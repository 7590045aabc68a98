/* SPDX-License-Identifier: Apache-2.0 */
/* /etc/resolv.conf. */
#ifndef VOLT_INIT_RESOLV_H
#define VOLT_INIT_RESOLV_H

#include "rootfs/volt-init/address.h"

/*
 * Writes the name servers of "setup", if it has any: behind those of others where *written, else in
 * place of what is there. *written becomes true. What fails costs a line.
 */
void resolv_write(const struct address_setup *setup, bool *written);

#endif
