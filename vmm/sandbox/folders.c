/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folders that are held since before the sandbox, and the one way to open a file after it: by
 * openat2() beneath one of them, through no link.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"
#include "vmm/sandbox/layers.h"

static int open_list(struct sandbox *s, const char *flag, const char *text, bool snapshots,
		     struct verr *e)
{
	while (text != NULL && *text != '\0') {
		struct live_folder *f = &s->live[s->nlive];
		size_t len = strcspn(text, ":");

		if (s->nlive == ARRAY_LEN(s->live))
			return verr_invalid(e, "%s: more than %zu folders", flag,
					    ARRAY_LEN(s->live));
		f->path = strndup(text, len);
		if (f->path == NULL)
			return verr_host(e, "out of memory");
		f->fd = open(f->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (f->fd < 0) {
			(void)verr_invalid_os(e, "%s: cannot open %s", flag, f->path);
			free(ptr_take(f->path));
			return -1;
		}
		f->detached = false;
		f->snapshots = snapshots;
		f->real = snapshots ? realpath(f->path, NULL) : NULL;
		s->nlive++;
		text += len + (text[len] == ':');
	}
	return 0;
}

int folders_open(struct sandbox *s, struct verr *e)
{
	if (open_list(s, "--live-dir", s->config->live_dir, false, e) < 0)
		return -1;
	s->cwd = getcwd(NULL, 0);
	return open_list(s, "--snapshot-dir", s->config->snapshot_dir, true, e);
}

void folders_close(struct sandbox *s)
{
	while (s->nlive > 0) {
		struct live_folder *f = &s->live[--s->nlive];

		fd_close(&f->fd);
		free(f->path);
		free(ptr_take(f->real));
	}
	free(ptr_take(s->cwd));
}

static bool is_same(int a, int b)
{
	struct stat one, other;

	return fstat(a, &one) == 0 && fstat(b, &other) == 0 && one.st_dev == other.st_dev &&
	       one.st_ino == other.st_ino;
}

/*
 * The descriptor is of a mount of the old namespace, which only who has rights there can clone; in
 * the new one the same folder is found by its path, or, in a root without /proc, by what it was
 * called. Without a clone it would lose what is mounted in it, once the old root is left.
 */
static int clone_mount(int fd, const char *name)
{
	const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE;
	int tree = (int)syscall(SYS_open_tree, fd, "", flags | AT_EMPTY_PATH);
	char link[32], path[PATH_MAX];
	ssize_t n;

	if (tree >= 0)
		return tree;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return name == NULL ? -1 : (int)syscall(SYS_open_tree, AT_FDCWD, name, flags);
	path[n] = '\0';
	return (int)syscall(SYS_open_tree, AT_FDCWD, path, flags | AT_SYMLINK_NOFOLLOW);
}

/* What is mounted in it the host does not see; what the host mounts comes through. */
static bool make_slave(int mount)
{
	struct mount_attr slave = {.propagation = MS_SLAVE};

	return syscall(SYS_mount_setattr, mount, "", AT_EMPTY_PATH | AT_RECURSIVE, &slave,
		       sizeof(slave)) == 0;
}

/*
 * It keeps its number, for others know it. Nobody's master but the host's: with another of these
 * clones for a master, which is not attached to a namespace, Linux 6.1 passes on no mount.
 */
static void detach(int fd, const char *name, bool *detached)
{
	auto_fd tree = fd < 0 || *detached ? -1 : clone_mount(fd, name);

	if (tree >= 0)
		(void)!make_slave(tree);
	if (tree >= 0 && is_same(tree, fd))
		*detached = dup3(tree, fd, O_CLOEXEC) >= 0;
}

void folders_detach(struct sandbox *s)
{
	detach(s->remove_fd, NULL, &s->remove_detached);
	for (size_t i = 0; i < s->nlive; i++)
		detach(s->live[i].fd, s->live[i].path, &s->live[i].detached);
}

/*
 * What is mounted in a folder of the host's later is to be seen here, too: a file may be put into
 * the place of a disk's in that way, as Kata does. The kernel passes mounts on only to what is in a
 * namespace. The empty root gets the folders as covers, so that nobody's path leads to them ("/" is
 * what is beneath); what the kernel refuses stays as it is.
 */
void folders_attach(const struct sandbox *s)
{
	for (size_t i = 0; i < s->nlive; i++) {
		const struct live_folder *f = &s->live[i];

		if (f->detached && make_slave(f->fd))
			(void)!syscall(SYS_move_mount, f->fd, "", AT_FDCWD, "/..",
				       MOVE_MOUNT_F_EMPTY_PATH);
	}
}

/* Does a path begin with this folder's? `*rest` is what follows. */
static bool begins_with(const char *path, const char *folder, const char **rest)
{
	size_t len = folder != NULL ? strlen(folder) : 0;

	while (len > 0 && folder[len - 1] == '/')
		len--;
	if (folder == NULL || strncmp(path, folder, len) != 0 || path[len] != '/')
		return false;
	*rest = path + len + strspn(path + len, "/");
	return true;
}

/* The folder that a path begins with; `*rest` is what follows. */
static const struct live_folder *folder_of(const struct sandbox *s, const char *path,
					   bool snapshots, const char **rest)
{
	for (size_t i = 0; i < s->nlive; i++) {
		const struct live_folder *f = &s->live[i];

		*rest = path;
		if (f->snapshots != snapshots)
			continue;
		if ((strcmp(f->path, ".") == 0 && *path != '/') ||
		    begins_with(path, f->path, rest) || begins_with(path, f->real, rest))
			return f;
	}
	return NULL;
}

bool sandbox_can_open(const struct sandbox *s, const char *path)
{
	const char *rest;

	return s == NULL || !s->entered || folder_of(s, path, false, &rest) != NULL;
}

int sandbox_open(const struct sandbox *s, const char *path, int flags, struct verr *e)
{
	struct open_how how = {.flags = (uint64_t)(unsigned)flags | O_CLOEXEC,
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
					  RESOLVE_NO_MAGICLINKS};
	const struct live_folder *folder;
	const char *rest;
	int fd;

	if (s == NULL || !s->entered) {
		fd = open(path, flags | O_CLOEXEC);
		return fd < 0 ? verr_invalid_os(e, "cannot open %s", path) : fd;
	}
	folder = folder_of(s, path, false, &rest);
	if (folder == NULL)
		return verr_invalid(
			e,
			"%s: the sandbox has no way to it; expected a path in a folder of "
			"--live-dir",
			path);
	fd = (int)syscall(SYS_openat2, folder->fd, rest, &how, sizeof(how));
	if (fd < 0 && (errno == ELOOP || errno == EXDEV))
		return verr_invalid(
			e,
			"%s: leads through a link, or out of --live-dir %s; expected the "
			"file itself",
			path, folder->path);
	return fd < 0 ? verr_invalid_os(e, "cannot open %s", path) : fd;
}

/* Where the last component of a path begins; slashes at its end do not count. */
static const char *last_of(const char *path, size_t *len)
{
	const char *end = path + strlen(path), *at;

	while (end > path && end[-1] == '/')
		end--;
	for (at = end; at > path && at[-1] != '/'; at--)
		;
	*len = (size_t)(end - at);
	return at;
}

static int open_beneath(const struct live_folder *folder, const char *path, struct verr *e)
{
	struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
					  RESOLVE_NO_MAGICLINKS};
	int fd = (int)syscall(SYS_openat2, folder->fd, *path != '\0' ? path : ".", &how,
			      sizeof(how));

	if (fd < 0 && (errno == ELOOP || errno == EXDEV))
		return verr_invalid(e,
				    "%s: leads through a link, or out of --snapshot-dir %s; "
				    "expected the folder itself",
				    path, folder->path);
	return fd < 0 ? verr_invalid_os(e, "cannot open %s/%s", folder->path, path) : fd;
}

/* The folder of --snapshot-dir that a path is beneath; `*parent` and the last component. */
static int open_parent(const struct sandbox *s, const char *path, size_t name, struct verr *e)
{
	auto_free char *whole = NULL;
	const struct live_folder *folder = folder_of(s, path, true, &(const char *){NULL});
	const char *rest;

	/* A relative path may be one of the folder's as it was found. */
	if (asprintf(&whole, "%s%s%s",
		     folder == NULL && *path != '/' && s->cwd != NULL ? s->cwd : "",
		     folder == NULL && *path != '/' ? "/" : "", path) < 0)
		return verr_host(e, "out of memory");
	whole[strlen(whole) - name] = '\0';
	folder = folder_of(s, whole, true, &rest);
	if (folder == NULL)
		return verr_invalid(e,
				    "%s: the sandbox has no way to it; expected a path in a folder "
				    "of --snapshot-dir",
				    path);
	return open_beneath(folder, rest, e);
}

int sandbox_open_snapshots(const struct sandbox *s, const char *path, const char **name,
			   struct verr *e)
{
	char parent[PATH_MAX];
	size_t len;
	int fd;

	*name = last_of(path, &len);
	if (len == 0 || len > NAME_MAX || *name - path >= PATH_MAX || (*name)[len] != '\0' ||
	    strcmp(*name, ".") == 0 || strcmp(*name, "..") == 0)
		return verr_invalid(e, "%s: expected a path that ends with a name", path);
	if (s != NULL && s->entered)
		return open_parent(s, path, len, e);
	(void)snprintf(parent, sizeof(parent), "%.*s", (int)(*name - path), path);
	fd = open(*parent != '\0' ? parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? verr_invalid_os(e, "cannot open the folder of %s", path) : fd;
}

void sandbox_keep_folder(struct sandbox *s, int fd)
{
	s->remove_fd = fd;
}

void sandbox_reserve(struct sandbox *s, unsigned descriptors)
{
	s->reserve += descriptors;
}
