/* SPDX-License-Identifier: Apache-2.0 */
/* Who has locked a file with flock(). */
#ifndef VOLT_BASE_OWNER_H
#define VOLT_BASE_OWNER_H

#define LOCK_OWNER_MAX 64

/* "process 1234 (volt-vmm)", or "" where it cannot be known. */
void lock_owner(int fd, char out[static LOCK_OWNER_MAX]);

#endif
