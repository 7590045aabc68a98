/* SPDX-License-Identifier: Apache-2.0 */
/* The C library's getpwnam would ask a name service daemon first, and there is none this early. */
#include "rootfs/volt-init/user.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "rootfs/volt-init/file.h"

#define DATABASE_MAX ((size_t)1 << 20)

enum passwd_field { PASSWD_NAME, PASSWD_SECRET, PASSWD_UID, PASSWD_GID, PASSWD_GECOS, PASSWD_HOME };
#define PASSWD_FIELDS 7 /* the shell is the last */

enum group_field { GROUP_NAME, GROUP_SECRET, GROUP_GID, GROUP_MEMBERS };
#define GROUP_FIELDS 4

/* Decimal, and nothing after it; the highest number means "none" to the kernel. */
static bool parse_id(const char *text, unsigned *id)
{
	unsigned long long value = 0;

	if (*text == '\0')
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		value = value * 10 + (unsigned)(*text - '0');
		if (value >= 0xffffffff)
			return false;
	}
	*id = (unsigned)value;
	return true;
}

/* Cuts the next line off *text and that into its fields; false at the end. Missing ones are "". */
static bool next_record(char **text, char **fields, size_t count)
{
	char *line = strsep(text, "\n");

	if (!line)
		return false;
	for (size_t i = 0; i < count; i++) {
		char *field = strsep(&line, ":");

		/* An empty string that is certainly this text's own: its end. */
		fields[i] = field ? field : fields[i - 1] + strlen(fields[i - 1]);
	}
	return true;
}

/* Takes group, home and name of the record that has this name, or this UID where "name" is NULL. */
static const char *take_record(struct user *user, const char *name, char *passwd)
{
	char *fields[PASSWD_FIELDS];

	while (passwd && next_record(&passwd, fields, PASSWD_FIELDS)) {
		unsigned uid, gid;

		if (!parse_id(fields[PASSWD_UID], &uid) || !parse_id(fields[PASSWD_GID], &gid))
			continue;
		if (name ? strcmp(fields[PASSWD_NAME], name) != 0 : uid != user->uid)
			continue;
		user->uid = uid;
		user->gid = gid;
		if (fields[PASSWD_HOME][0] == '/')
			user->home = fields[PASSWD_HOME];
		return fields[PASSWD_NAME];
	}
	return NULL;
}

static bool is_member(char *members, const char *name)
{
	char *member;

	while ((member = strsep(&members, ","))) {
		if (strcmp(member, name) == 0)
			return true;
	}
	return false;
}

static int take_groups(struct user *user, const char *name, char *group, struct why *why)
{
	char *fields[GROUP_FIELDS];

	while (group && next_record(&group, fields, GROUP_FIELDS)) {
		unsigned gid;

		if (!parse_id(fields[GROUP_GID], &gid) || !is_member(fields[GROUP_MEMBERS], name))
			continue;
		if (user->ngroups == USER_GROUPS)
			return why_set(why, "user \"%.64s\" is in more than %d groups", name,
				       USER_GROUPS);
		user->groups[user->ngroups++] = gid;
	}
	return 0;
}

/* "UID:GID", taken as it stands. False where "spec" is not that. */
static bool take_pair(struct user *user, const char *spec)
{
	const char *colon = strchr(spec, ':');
	char uid[16];

	if (!colon || (size_t)(colon - spec) >= sizeof(uid))
		return false;
	memcpy(uid, spec, (size_t)(colon - spec));
	uid[colon - spec] = '\0';
	return parse_id(uid, &user->uid) && parse_id(colon + 1, &user->gid);
}

int user_parse(struct user *user, const char *spec, char *passwd, char *group, struct why *why)
{
	*user = (struct user){.home = "/"};
	if (strchr(spec, ':')) {
		if (!take_pair(user, spec))
			return why_set(why, "user \"%.64s\": expected a name, UID or UID:GID",
				       spec);
		return 0;
	}

	bool number = parse_id(spec, &user->uid);
	user->gid = user->uid;
	const char *name = take_record(user, number ? NULL : spec, passwd);
	if (!name && !number)
		return why_set(why, "user \"%.64s\" is not in /etc/passwd", spec);
	return name ? take_groups(user, name, group, why) : 0;
}

int user_find(struct user *user, const char *spec, struct why *why)
{
	size_t size;

	if (!spec) {
		*user = (struct user){.home = access("/root", F_OK) == 0 ? "/root" : "/"};
		return 0;
	}
	return user_parse(user, spec, file_read("/etc/passwd", DATABASE_MAX, &size),
			  file_read("/etc/group", DATABASE_MAX, &size), why);
}
