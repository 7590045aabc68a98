/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/newroot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs/volt-init/folder.h"

/* Deeper than any initramfs; each level has its own buffer on the stack. */
#define DEPTH_MAX 64

static const char *const moving[] = {"/proc", "/sys", "/dev"};

/* Where the new root has no place for one it is given up: it can be mounted anew, or was not
 * wanted. */
static void move_mounts(const char *folder)
{
	for (size_t i = 0; i < sizeof(moving) / sizeof(moving[0]); i++) {
		char target[128];

		(void)snprintf(target, sizeof(target), "%s%s", folder, moving[i]);
		(void)mkdir(target, 0755);
		if (mount(moving[i], target, NULL, MS_MOVE, NULL) < 0)
			(void)umount2(moving[i], MNT_DETACH);
	}
}

/* Everything below the folder that is on the same file system. Links are not followed. */
static void empty(int parent, const char *name, dev_t device, int depth)
{
	struct folder folder;
	struct stat here;
	const char *entry;

	if (depth == DEPTH_MAX || !folder_open(&folder, parent, name))
		return;
	while (fstat(folder.fd, &here) == 0 && here.st_dev == device &&
	       (entry = folder_next(&folder))) {
		if (unlinkat(folder.fd, entry, 0) == 0)
			continue;
		empty(folder.fd, entry, device, depth + 1);
		/* A mount point stays. */
		(void)unlinkat(folder.fd, entry, AT_REMOVEDIR);
	}
	folder_close(&folder);
}

int newroot_enter(const char *folder, struct why *why)
{
	int old = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat here;

	if (old < 0 || fstat(old, &here) < 0)
		return why_set(why, "cannot open /: %s", strerror(errno));
	move_mounts(folder);
	/* The first file system cannot be left or unmounted, only covered. */
	if (chdir(folder) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 ||
	    chdir("/") < 0) {
		(void)close(old);
		return why_set(why, "cannot make the root disk /: %s", strerror(errno));
	}
	empty(old, ".", here.st_dev, 0);
	(void)close(old);
	return 0;
}
