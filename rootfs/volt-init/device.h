/* SPDX-License-Identifier: Apache-2.0 */
/* From what root= or /etc/fstab calls a disk to its node in /dev. Needs /dev, and /sys to search.
 */
#ifndef VOLT_INIT_DEVICE_H
#define VOLT_INIT_DEVICE_H

#define DEVICE_PATH 256

enum device_result {
	DEVICE_FOUND,
	DEVICE_ABSENT,  /* not there, or not yet */
	DEVICE_UNKNOWN, /* no way of naming a disk that is known here */
};

/* "spec" is /dev/NAME, UUID=... or LABEL=... */
enum device_result device_find(const char *spec, char path[DEVICE_PATH]);

/* The same, but waits so long for it to appear. */
enum device_result device_wait(const char *spec, char path[DEVICE_PATH], int milliseconds);

#endif
