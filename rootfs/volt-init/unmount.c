/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/unmount.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>

#include "rootfs/volt-init/file.h"
#include "rootfs/volt-init/say.h"
#include "rootfs/volt-init/unescape.h"

#define MOUNTS_MAX ((size_t)4 << 20)

/* Kept in memory or made up by the kernel: taking them down would only cost time. */
static const char *const passing[] = {
	"autofs", "binfmt_misc", "bpf",        "cgroup",     "cgroup2", "configfs", "debugfs",
	"devpts", "devtmpfs",    "efivarfs",   "hugetlbfs",  "mqueue",  "proc",     "pstore",
	"ramfs",  "rootfs",      "rpc_pipefs", "securityfs", "sysfs",   "tmpfs",    "tracefs",
};

bool unmount_skips(const char *type)
{
	for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++) {
		if (strcmp(passing[i], type) == 0)
			return true;
	}
	return false;
}

bool unmount_last(char *text, size_t *size, struct mount_entry *entry)
{
	size_t end = *size;

	if (end > 0 && text[end - 1] == '\n')
		end--;
	if (end == 0)
		return false;
	text[end] = '\0';

	size_t start = end;
	while (start > 0 && text[start - 1] != '\n')
		start--;
	*size = start;

	char *line = text + start;
	char *source = strsep(&line, " ");
	char *target = strsep(&line, " ");
	char *type = strsep(&line, " ");
	bool whole = source && target && type;
	entry->target = whole ? target : text + end;
	entry->type = whole ? type : text + end;
	unescape(entry->target);
	return true;
}

static void release(const struct mount_entry *entry, bool debug)
{
	if (umount2(entry->target, UMOUNT_NOFOLLOW) == 0) {
		say_step(debug, "unmounted %s", entry->target);
		return;
	}
	/* The type of a read-only remount does not matter, its source neither. */
	if (mount(NULL, entry->target, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0)
		say_step(debug, "%s is read-only", entry->target);
	else if (errno != EINVAL && errno != ENOENT)
		say("cannot unmount %s or make it read-only: %s", entry->target, strerror(errno));
}

void unmount_all(bool debug)
{
	struct mount_entry entry;
	size_t size;
	char *text = file_read("/proc/self/mounts", MOUNTS_MAX, &size);

	if (!text) {
		say("cannot read /proc/self/mounts, only / becomes read-only: %s", strerror(errno));
		(void)mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL);
		return;
	}
	while (unmount_last(text, &size, &entry)) {
		if (!unmount_skips(entry.type))
			release(&entry, debug);
	}
}
