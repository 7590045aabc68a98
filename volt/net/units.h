/* SPDX-License-Identifier: Apache-2.0 */
/* The files for systemd-networkd: two for the bridge, of which the first has the record, two a TAP.
 */
#ifndef VOLT_VOLT_NET_UNITS_H
#define VOLT_VOLT_NET_UNITS_H

#include <stddef.h>

#include "volt/net/record.h"

/* The first line of each: what begins otherwise is not ours. */
#define UNIT_MARK \
	"# Made by \"volt net setup\", removed by \"volt net teardown\": changes are lost.\n"

size_t units_count(const struct net_setup *s);
void unit_path(const struct net_setup *s, size_t i, char *out, size_t size);

/* To be freed; NULL: out of memory. */
char *unit_text(const struct net_setup *s, size_t i);

#endif
