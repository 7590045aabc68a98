/* SPDX-License-Identifier: Apache-2.0 */
/* Blanks and backslashes in /proc/mounts, /proc/swaps and /etc/fstab. */
#ifndef VOLT_INIT_UNESCAPE_H
#define VOLT_INIT_UNESCAPE_H

/* In place: a backslash and three octal digits are one byte. */
void unescape(char *text);

#endif
