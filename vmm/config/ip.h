/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What ip= of a NIC says: "none", or with '+' between them "dhcp" and addresses, each of these
 * followed by its gateway and name servers: ADDRESS/LENGTH[+GATEWAY[+SERVER...]].
 */
#ifndef VOLT_VMM_CONFIG_IP_H
#define VOLT_VMM_CONFIG_IP_H

#include "base/verr.h"

#define IP_WORDS_MAX 4
#define IP_WORD_LEN 256

/*
 * The values that volt-init takes behind volt.ip.INTERFACE=, "dhcp" or
 * "ADDRESS/LENGTH,GATEWAY,..."; returns how many (NULL and "none": 0), or -1 with what was
 * expected.
 */
V_MUST_CHECK int ip_parse(const char *text, char out[IP_WORDS_MAX][IP_WORD_LEN], struct verr *e);

#endif
