/* SPDX-License-Identifier: Apache-2.0 */
/* From a user's name or number to what a process needs to be that user. */
#ifndef VOLT_INIT_USER_H
#define VOLT_INIT_USER_H

#include <stddef.h>
#include <sys/types.h>

#include "rootfs/volt-init/why.h"

#define USER_GROUPS 64

struct user {
	uid_t uid;
	gid_t gid;
	size_t ngroups;
	gid_t groups[USER_GROUPS];
	const char *home;
};

/*
 * "spec" is a name, UID or UID:GID; "passwd" and "group" are the texts of those files, which are
 * cut up in place and must live as long as the user, or NULL. A UID that passwd does not know has
 * the group of the same number and no other: never root's by accident.
 */
int user_parse(struct user *user, const char *spec, char *passwd, char *group, struct why *why);

/* The same with /etc/passwd and /etc/group; a NULL "spec" is root and reads neither. */
int user_find(struct user *user, const char *spec, struct why *why);

#endif
