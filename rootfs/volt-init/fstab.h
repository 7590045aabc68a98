/* SPDX-License-Identifier: Apache-2.0 */
/* /etc/fstab, fstab(5): what the image wants mounted. Nothing here stops a start. */
#ifndef VOLT_INIT_FSTAB_H
#define VOLT_INIT_FSTAB_H

#include <stdbool.h>

#define FSTAB_PATH "/etc/fstab"

struct fstab_entry {
	char *source;
	char *target;
	char *type;
	char *options;
};

enum fstab_result {
	FSTAB_ENTRY,
	FSTAB_BAD, /* a line with too few fields; the next one may be better */
	FSTAB_END,
};

/* Takes the next entry off "text", which it cuts up; blank lines and comments are passed over. */
enum fstab_result fstab_next(char **text, struct fstab_entry *entry);

/* The last entry for a target. False where there is none. */
bool fstab_find(struct fstab_entry *entry, const char *target);

/*
 * Mounts every entry but the root's and those with "noauto", and turns swap on. What fails costs a
 * line, unless it has "nofail".
 */
void fstab_mount(bool debug);

#endif
