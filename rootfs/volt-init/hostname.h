/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's name. */
#ifndef VOLT_INIT_HOSTNAME_H
#define VOLT_INIT_HOSTNAME_H

#include <stddef.h>

#define HOSTNAME_PATH "/etc/hostname"
#define HOSTNAME_MAX 64 /* __NEW_UTS_LEN */

/* The name in the text of /etc/hostname, cut out in place: the first line that is no comment. NULL
 * where there is none. */
char *hostname_parse(char *text);

/*
 * Sets the first of these that there is: "wanted" (this start's), "image" (init.json's), the one in
 * /etc/hostname; else it stays as it is. What fails costs a line.
 */
void hostname_set(const char *wanted, const char *image);

#endif
