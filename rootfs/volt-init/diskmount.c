/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/diskmount.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "rootfs/volt-init/file.h"
#include "rootfs/volt-init/superblock.h"

#define FILESYSTEMS_MAX ((size_t)64 << 10)
#define TYPE_SIZE 32

struct attempt {
	const char *device;
	const char *target;
	unsigned long flags;
	const char *data;
	int err; /* the one to tell; 0 while nothing was tried */
};

static bool attempt(struct attempt *a, const char *type)
{
	if (mount(a->device, a->target, type, a->flags, a->data) == 0)
		return true;
	/* EINVAL is what one says of a disk that is another's. */
	if (a->err == 0 || a->err == EINVAL || a->err == ENODEV)
		a->err = errno;
	return false;
}

static bool attempt_list(struct attempt *a, const char *types)
{
	while (*types) {
		size_t size = strcspn(types, ",");
		char type[TYPE_SIZE];

		if (size > 0 && size < sizeof(type)) {
			memcpy(type, types, size);
			type[size] = '\0';
			if (attempt(a, type))
				return true;
		}
		types += size + (types[size] == ',');
	}
	return false;
}

/* What the disk says that it is: any other type would only fill the kernel's log. */
static bool attempt_own(struct attempt *a)
{
	struct superblock found;
	int fd = open(a->device, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	bool known = superblock_read(fd, &found);
	close(fd);
	return known && attempt(a, found.type);
}

/* A line is "nodev", a tab and a type, or without the first where the type is for disks. */
static bool attempt_known(struct attempt *a)
{
	size_t size;
	char *text = file_read("/proc/filesystems", FILESYSTEMS_MAX, &size);
	char *line;

	while (text && (line = strsep(&text, "\n"))) {
		if (line[0] == '\t' && attempt(a, line + 1))
			return true;
	}
	return false;
}

bool diskmount(const char *device, const char *target, const char *types, unsigned long flags,
	       const char *data)
{
	struct attempt a = {.device = device, .target = target, .flags = flags, .data = data};

	if (types ? attempt_list(&a, types) : attempt_own(&a) || attempt_known(&a))
		return true;
	errno = a.err ? a.err : ENODEV;
	return false;
}
