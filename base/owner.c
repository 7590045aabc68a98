/* SPDX-License-Identifier: Apache-2.0 */
#include "base/owner.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/own.h"

/* The process of a flock() on this file, from /proc/locks (proc(5)); 0 when it is not listed. */
static int find_locker(const struct stat *st)
{
	auto_fclose *locks = fopen("/proc/locks", "re");
	unsigned major_, minor_;
	unsigned long inode;
	char line[256];
	int pid;

	while (locks != NULL && fgets(line, sizeof(line), locks) != NULL)
		if (sscanf(line, "%*d: FLOCK %*s %*s %d %x:%x:%lu", &pid, &major_, &minor_,
			   &inode) == 4 &&
		    inode == st->st_ino && major_ == major(st->st_dev) &&
		    minor_ == minor(st->st_dev))
			return pid;
	return 0;
}

static void name_of(int pid, char *name, int size)
{
	char path[32];
	FILE *comm;

	(void)snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	comm = fopen(path, "re");
	if (comm == NULL)
		return;
	if (fgets(name, size, comm) != NULL)
		name[strcspn(name, "\n")] = '\0';
	(void)fclose(comm);
}

void lock_owner(int fd, char out[static LOCK_OWNER_MAX])
{
	char name[20] = "?";
	struct stat st;
	int pid;

	out[0] = '\0';
	if (fstat(fd, &st) < 0)
		return;
	pid = find_locker(&st);
	if (pid <= 0)
		return;
	name_of(pid, name, sizeof(name));
	(void)snprintf(out, LOCK_OWNER_MAX, "process %d (%s)", pid, name);
}
