/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Namespaces (namespaces(7)), all in one call: what they cost is mostly the kernel's waiting for
 * its own readers, and so once. The user namespace has no map: nothing that is done in it needs an
 * id.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/own.h"
#include "vmm/sandbox/layers.h"

static const struct {
	enum sandbox_part part;
	int flag;
	const char *file;
} namespaces[NAMESPACES] = {
	/* The user namespace first: it gives the right to the others. */
	{PART_USER, CLONE_NEWUSER, "user"},
	{PART_MOUNT, CLONE_NEWNS, "mnt"},
	{PART_NET, CLONE_NEWNET, "net"},
	{PART_IPC, CLONE_NEWIPC, "ipc"},
	{PART_UTS, CLONE_NEWUTS, "uts"},
	{PART_CGROUP, CLONE_NEWCGROUP, "cgroup"},
	{PART_PID, 0, "pid"}, /* entered by --new-pid-ns, before all else */
};

int netns_enter(const char *path, struct verr *e)
{
	auto_fd fd = -1;

	if (path == NULL)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return verr_invalid_os(e, "--netns: cannot open %s", path);
	if (setns(fd, CLONE_NEWNET) == 0)
		return 0;
	if (errno == EINVAL)
		return verr_invalid(e,
				    "--netns %s: expected a network namespace, such as one of "
				    "/run/netns",
				    path);
	return verr_invalid_os(e, "--netns: cannot enter %s", path);
}

static ino_t inode_of(const struct sandbox *s, const char *file)
{
	struct stat st;

	return s->namespaces_fd >= 0 && fstatat(s->namespaces_fd, file, &st, 0) == 0 ? st.st_ino
										     : 0;
}

void namespaces_remember(struct sandbox *s)
{
	if (s->namespaces_fd < 0)
		s->namespaces_fd = open("/proc/self/ns", O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < NAMESPACES; i++)
		if (s->before[i] == 0)
			s->before[i] = inode_of(s, namespaces[i].file);
}

static void unshare_one(struct sandbox *s, size_t i)
{
	if (namespaces[i].flag == 0)
		return;
	if (unshare(namespaces[i].flag) < 0)
		sandbox_refused(s, namespaces[i].part);
	else if (inode_of(s, namespaces[i].file) == 0)
		s->parts |= 1U << namespaces[i].part; /* without /proc its word is all there is */
}

static void unshare_all(struct sandbox *s)
{
	int all = 0;

	for (size_t i = 0; i < NAMESPACES; i++)
		all |= namespaces[i].flag;
	if (unshare(all) == 0) {
		for (size_t i = 0; i < NAMESPACES; i++)
			if (namespaces[i].flag != 0 && inode_of(s, namespaces[i].file) == 0)
				s->parts |= 1U << namespaces[i].part;
		return;
	}
	/* One is refused, or does not exist: as many as there are. */
	for (size_t i = 0; i < NAMESPACES; i++)
		unshare_one(s, i);
}

/*
 * Put an empty file system over the root, move into it (by "..", for "/" is what is beneath it) and
 * make it the root. Where that cannot be, in a chroot, it becomes the root as that did: without
 * capabilities there is no way back either.
 */
static bool empty_root(const struct sandbox *s)
{
	static const char options[] = "size=4k,nr_inodes=1,mode=555";
	const unsigned long flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;

	/* What is mounted here is no other namespace's: a new user namespace sees to that itself.
	 */
	if (s->refused[PART_USER] != 0 && mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return false;
	if (mount("none", "/", "tmpfs", flags, options) < 0 || chdir("/..") < 0)
		return false;
	if (syscall(SYS_pivot_root, ".", ".") == 0)
		return umount2(".", MNT_DETACH) == 0 && chdir("/") == 0;
	return chroot(".") == 0;
}

static bool is_empty_root(void)
{
	struct statfs fs;
	struct stat st;

	return statfs("/", &fs) == 0 && fs.f_type == TMPFS_MAGIC && (fs.f_flags & ST_RDONLY) != 0 &&
	       fs.f_files == 1 && stat("/", &st) == 0 && st.st_nlink == 2;
}

void namespaces_enter(struct sandbox *s)
{
	bool entered = false;

	unshare_all(s);
	if (s->refused[PART_MOUNT] == 0) {
		folders_detach(s);
		entered = empty_root(s);
		if (entered)
			folders_attach(s);
	} else {
		errno = s->refused[PART_MOUNT];
	}
	if (!entered)
		sandbox_refused(s, PART_ROOT);
}

void namespaces_read_back(struct sandbox *s)
{
	for (size_t i = 0; i < NAMESPACES; i++) {
		ino_t now = inode_of(s, namespaces[i].file);

		if (now != 0 && s->before[i] != 0 && now != s->before[i])
			s->parts |= 1U << namespaces[i].part;
	}
	if (is_empty_root())
		s->parts |= PART(ROOT);
}
