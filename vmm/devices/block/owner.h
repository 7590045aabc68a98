/* SPDX-License-Identifier: Apache-2.0 */
/* Who has locked a file. */
#ifndef VOLT_VMM_DEVICES_BLOCK_OWNER_H
#define VOLT_VMM_DEVICES_BLOCK_OWNER_H

#define DISK_OWNER_MAX 64

/* "process 1234 (volt-vmm)", or "" where it cannot be known. */
void disk_owner(int fd, char out[static DISK_OWNER_MAX]);

#endif
