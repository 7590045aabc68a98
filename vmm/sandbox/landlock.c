/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Landlock (landlock(7)): a ruleset that handles every right the kernel knows, and has no rule but
 * for the API's socket, --live-dir and --snapshot-dir. What was opened before keeps the rights it
 * was opened with.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"
#include "vmm/sandbox/layers.h"

/* The structure of ABI 6, of which older kernels take the beginning; Debian 12's headers end at 2.
 */
struct ruleset {
	uint64_t fs, net, scoped;
};

/* What each ABI can handle, and how much of the structure it takes. */
static const struct abi {
	struct ruleset rights;
	size_t size;
} abis[] = {
	{{.fs = (1U << 13) - 1}, 8},
	{{.fs = (1U << 14) - 1}, 8},                         /* refer */
	{{.fs = (1U << 15) - 1}, 8},                         /* truncate */
	{{.fs = (1U << 15) - 1, .net = 3}, 16},              /* TCP: bind, connect */
	{{.fs = (1U << 16) - 1, .net = 3}, 16},              /* ioctl on devices */
	{{.fs = (1U << 16) - 1, .net = 3, .scoped = 3}, 24}, /* abstract sockets, signals */
};

#define CREATE_RULESET_VERSION 1U

/* Beneath --live-dir existing files are read and written, and disks asked how large they are. */
#define ACCESS_FS_TRUNCATE (1U << 14)
#define ACCESS_FS_IOCTL_DEV (1U << 15)
#define LIVE_RIGHTS \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | ACCESS_FS_IOCTL_DEV)

/* Beneath --snapshot-dir files and folders are made, read, renamed and removed. */
#define SNAPSHOT_RIGHTS                                                 \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | \
	 LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_DIR |  \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | \
	 LANDLOCK_ACCESS_FS_MAKE_REG | ACCESS_FS_TRUNCATE)

static bool allow(int ruleset, int folder, uint64_t rights)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = rights, .parent_fd = folder};

	return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
}

static int restrict_by(const struct sandbox *s, int abi)
{
	const struct abi *a = &abis[MIN((size_t)abi, ARRAY_LEN(abis)) - 1];
	auto_fd fd = (int)syscall(SYS_landlock_create_ruleset, &a->rights, a->size, 0);

	if (fd < 0)
		return -1;
	if (s->remove_fd >= 0 && !allow(fd, s->remove_fd, LANDLOCK_ACCESS_FS_REMOVE_FILE))
		return -1;
	for (size_t i = 0; i < s->nlive; i++)
		if (!allow(fd, s->live[i].fd,
			   (s->live[i].snapshots ? SNAPSHOT_RIGHTS : LIVE_RIGHTS) & a->rights.fs))
			return -1;
	return (int)syscall(SYS_landlock_restrict_self, fd, 0);
}

/* What no rule allows is refused: tried, for the kernel tells nobody his rules. */
static bool is_in_force(void)
{
	auto_fd fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 && errno == EACCES;
}

void landlock_enter(struct sandbox *s)
{
	int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);

	if (abi < 1 || restrict_by(s, abi) < 0 || !is_in_force()) {
		sandbox_refused(s, PART_LANDLOCK);
		return;
	}
	s->landlock_abi = abi;
	s->parts |= PART(LANDLOCK);
}
