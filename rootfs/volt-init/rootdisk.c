/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/rootdisk.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "rootfs/volt-init/device.h"
#include "rootfs/volt-init/diskmount.h"
#include "rootfs/volt-init/fstab.h"
#include "rootfs/volt-init/memroot.h"
#include "rootfs/volt-init/mountopts.h"
#include "rootfs/volt-init/say.h"

/* A disk is there as soon as its driver is loaded; this is for one that comes late. */
#define WAIT_MS 10000

static int find(const char *root, char *path, struct why *why)
{
	switch (device_wait(root, path, WAIT_MS)) {
	case DEVICE_FOUND:
		return 0;
	case DEVICE_ABSENT:
		return why_set(why, "root=%.100s: there is no such disk, after %d s", root,
			       WAIT_MS / 1000);
	case DEVICE_UNKNOWN:
		break;
	}
	return why_set(why, "root=%.100s: expected /dev/NAME, UUID=... or LABEL=...", root);
}

int rootdisk_mount(const struct options *options, const char *target, struct why *why)
{
	static char none[] = "";
	struct mountopts wanted;
	char path[DEVICE_PATH];

	if (find(options->root, path, why) < 0)
		return -1;
	mountopts_parse(&wanted, options->rootflags ? options->rootflags : none);
	/* The kernel's own choice where it is told nothing. */
	if (options->mode != ROOT_RW)
		wanted.flags |= MS_RDONLY;
	if (mkdir(target, 0700) < 0 && errno != EEXIST)
		return why_set(why, "cannot make %s: %s", target, strerror(errno));
	if (diskmount(path, target, options->rootfstype, wanted.flags, wanted.data))
		return 0;
	/* A disk that cannot be written to still has what is needed to say so. */
	if ((errno == EACCES || errno == EROFS) &&
	    diskmount(path, target, options->rootfstype, wanted.flags | MS_RDONLY, wanted.data))
		return 0;
	return why_set(why, "cannot mount root=%.100s%s%.32s: %s", options->root,
		       options->rootfstype ? " as " : "",
		       options->rootfstype ? options->rootfstype : "", strerror(errno));
}

void rootdisk_remount(const struct options *options)
{
	struct mountopts wanted = {.data = ""};
	struct fstab_entry entry;
	struct statvfs now;

	if (memroot_is() || statvfs("/", &now) < 0)
		return;
	unsigned long is_ro = (now.f_flag & ST_RDONLY) ? MS_RDONLY : 0;
	unsigned long ro = is_ro;
	if (fstab_find(&entry, "/")) {
		mountopts_parse(&wanted, entry.options);
		ro = wanted.flags & MS_RDONLY;
	}
	if (options->mode != ROOT_AS_IT_IS)
		ro = options->mode == ROOT_RO ? MS_RDONLY : 0;
	wanted.flags &= ~(unsigned long)MS_RDONLY;
	if (ro == is_ro && wanted.flags == 0 && *wanted.data == '\0')
		return;
	if (mount(NULL, "/", NULL, MS_REMOUNT | wanted.flags | ro, wanted.data) < 0)
		say("cannot make / %s%s%.100s: %s", ro ? "read-only" : "writable",
		    *wanted.data ? " with " : "", wanted.data, strerror(errno));
}
