/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/mounts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs/volt-init/say.h"

#define SAFE (MS_NOSUID | MS_NODEV | MS_NOEXEC)

/* Group 5 is tty everywhere; programs that hand out terminals rely on it and on the mode. */
#define PTS "gid=5,mode=0620,ptmxmode=0666"

static const struct mount_row rows[] = {
	{"proc", "/proc", 0755, SAFE, NULL, false},
	{"devtmpfs", "/dev", 0755, MS_NOSUID, "mode=0755", false},
	{"sysfs", "/sys", 0755, SAFE, NULL, false},
	{"cgroup2", "/sys/fs/cgroup", 0755, SAFE, "nsdelegate", false},
	{"devpts", "/dev/pts", 0755, MS_NOSUID | MS_NOEXEC, PTS, false},
	{"tmpfs", "/dev/shm", 01777, MS_NOSUID | MS_NODEV, "mode=1777", false},
	{"tmpfs", "/run", 0755, MS_NOSUID | MS_NODEV, "mode=0755", false},
	{"tmpfs", "/tmp", 01777, MS_NOSUID | MS_NODEV, "mode=1777", true},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))
#define FIRST_ROWS 2
#define INITRD_ROWS 3

static const struct link_row {
	const char *path;
	const char *target;
} links[] = {
	{"/dev/fd", "/proc/self/fd"},
	{"/dev/stdin", "/proc/self/fd/0"},
	{"/dev/stdout", "/proc/self/fd/1"},
	{"/dev/stderr", "/proc/self/fd/2"},
};
#define LINKS (sizeof(links) / sizeof(links[0]))

const struct mount_row *mounts_table(size_t *count)
{
	*count = ROWS;
	return rows;
}

bool mounts_is_mounted(const char *target)
{
	char above[64];
	struct stat here, parent;

	(void)snprintf(above, sizeof(above), "%s/..", target);
	return stat(target, &here) == 0 && stat(above, &parent) == 0 &&
	       here.st_dev != parent.st_dev;
}

static bool make_new(const struct mount_row *row)
{
	if (mount(row->type, row->target, row->type, row->flags, row->data) == 0)
		return true;
	/* An older kernel that does not know an option still has the file system. */
	return errno == EINVAL && row->data &&
	       mount(row->type, row->target, row->type, row->flags, NULL) == 0;
}

/* False, with errno, where it could not be done. */
static bool make(const struct mount_row *row)
{
	bool made = mkdir(row->target, row->mode) == 0;

	if (row->writable_is_enough && (made || access(row->target, W_OK) == 0))
		return true;
	if (made || !mounts_is_mounted(row->target))
		return make_new(row);
	/* The kernel or an initrd was first, perhaps with other restrictions: ours hold. */
	(void)mount(NULL, row->target, NULL, MS_REMOUNT | MS_BIND | row->flags, NULL);
	return true;
}

static void make_rows(size_t from, size_t to, bool debug)
{
	for (size_t i = from; i < to; i++) {
		const struct mount_row *row = &rows[i];

		if (make(row))
			say_step(debug, "%s is ready", row->target);
		else
			say("cannot mount %s on %s: %s", row->type, row->target, strerror(errno));
	}
}

void mounts_make_first(void)
{
	make_rows(0, FIRST_ROWS, false);
}

void mounts_make_for_initrd(bool debug)
{
	make_rows(FIRST_ROWS, INITRD_ROWS, debug);
}

void mounts_make_rest(bool debug)
{
	make_rows(FIRST_ROWS, ROWS, debug);
	for (size_t i = 0; i < LINKS; i++) {
		if (symlink(links[i].target, links[i].path) < 0 && errno != EEXIST)
			say("cannot make %s: %s", links[i].path, strerror(errno));
	}
}
