/* SPDX-License-Identifier: Apache-2.0 */
/* /etc/resolv.conf. */
#ifndef VOLT_INIT_RESOLV_H
#define VOLT_INIT_RESOLV_H

#include "rootfs/volt-init/address.h"

/* Longer ones are not volt-init's alone, and are left alone. */
#define RESOLV_MAX 4096

/*
 * Writes the name servers of "setup", if it has any. Where "earlier" (may be NULL) has some, they
 * are there by an earlier call: the new ones take their place, and nothing is written where
 * somebody else has taken them away. Else they come behind those of others where *written, or in
 * place of what is there. *written becomes true. What fails costs a line.
 */
void resolv_write(const struct address_setup *setup, const struct address_setup *earlier,
		  bool *written);

/* Puts "new" in the place of the whole lines "old"; false where they are not there or it is too
 * long. */
bool resolv_replace(char text[RESOLV_MAX], const char *old, const char *new);

#endif
