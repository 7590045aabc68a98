/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/mountopts.h"

#include <stddef.h>
#include <string.h>
#include <sys/mount.h>

#define ANYBODY (MS_NOEXEC | MS_NOSUID | MS_NODEV)

/* Each sets some flags and clears others. Neither: it is nobody's business at a start. */
static const struct row {
	const char *name;
	unsigned long set;
	unsigned long clear;
} rows[] = {
	{"defaults", 0, 0},
	{"ro", MS_RDONLY, 0},
	{"rw", 0, MS_RDONLY},
	{"nosuid", MS_NOSUID, 0},
	{"suid", 0, MS_NOSUID},
	{"nodev", MS_NODEV, 0},
	{"dev", 0, MS_NODEV},
	{"noexec", MS_NOEXEC, 0},
	{"exec", 0, MS_NOEXEC},
	{"sync", MS_SYNCHRONOUS, 0},
	{"async", 0, MS_SYNCHRONOUS},
	{"dirsync", MS_DIRSYNC, 0},
	{"noatime", MS_NOATIME, 0},
	{"atime", 0, MS_NOATIME},
	{"nodiratime", MS_NODIRATIME, 0},
	{"diratime", 0, MS_NODIRATIME},
	{"relatime", MS_RELATIME, 0},
	{"norelatime", 0, MS_RELATIME},
	{"strictatime", MS_STRICTATIME, 0},
	{"nostrictatime", 0, MS_STRICTATIME},
	{"lazytime", MS_LAZYTIME, 0},
	{"nolazytime", 0, MS_LAZYTIME},
	{"iversion", MS_I_VERSION, 0},
	{"noiversion", 0, MS_I_VERSION},
	{"silent", MS_SILENT, 0},
	{"loud", 0, MS_SILENT},
	{"bind", MS_BIND, 0},
	{"rbind", MS_BIND | MS_REC, 0},
	{"user", ANYBODY, 0},
	{"users", ANYBODY, 0},
	{"owner", MS_NOSUID | MS_NODEV, 0},
	{"group", MS_NOSUID | MS_NODEV, 0},
	{"nouser", 0, 0},
	{"auto", 0, 0},
	{"_netdev", 0, 0},
};

/* For other programs that read /etc/fstab. */
static bool is_comment(const char *option)
{
	return strncmp(option, "x-", 2) == 0 || strncmp(option, "X-", 2) == 0 ||
	       strncmp(option, "comment=", 8) == 0;
}

static bool take(struct mountopts *options, const char *option)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(rows[i].name, option) == 0) {
			options->flags &= ~rows[i].clear;
			options->flags |= rows[i].set;
			return true;
		}
	}
	if (strcmp(option, "noauto") == 0)
		options->noauto = true;
	else if (strcmp(option, "nofail") == 0)
		options->nofail = true;
	else
		return is_comment(option);
	return true;
}

void mountopts_parse(struct mountopts *options, char *text)
{
	char *to = text;

	*options = (struct mountopts){.data = text};
	do {
		const char *option = strsep(&text, ",");
		size_t size = strlen(option);

		if (size == 0 || take(options, option))
			continue;
		/* What stays moves up to what stayed before it: never further than it was. */
		if (to != options->data)
			*to++ = ',';
		memmove(to, option, size);
		to += size;
	} while (text);
	*to = '\0';
}
