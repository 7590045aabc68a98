/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/folder.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* getdents64(2). */
struct entry {
	uint64_t inode;
	int64_t offset;
	uint16_t size;
	uint8_t type;
	char name[];
};

bool folder_open(struct folder *folder, int from, const char *path)
{
	folder->fd = openat(from, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	folder->at = 0;
	folder->size = 0;
	return folder->fd >= 0;
}

static const struct entry *next_entry(struct folder *folder)
{
	if (folder->at == folder->size) {
		long got = syscall(SYS_getdents64, folder->fd, folder->entries,
				   sizeof(folder->entries));

		if (got <= 0)
			return NULL;
		folder->at = 0;
		folder->size = (size_t)got;
	}
	/* The kernel aligns each to eight bytes, as "entries" is. */
	const struct entry *entry = (const void *)(folder->entries + folder->at);
	folder->at += entry->size;
	return entry;
}

const char *folder_next(struct folder *folder)
{
	const struct entry *entry;

	do
		entry = next_entry(folder);
	while (entry && (strcmp(entry->name, ".") == 0 || strcmp(entry->name, "..") == 0));
	return entry ? entry->name : NULL;
}

void folder_close(struct folder *folder)
{
	if (folder->fd >= 0)
		(void)close(folder->fd);
	folder->fd = -1;
}
