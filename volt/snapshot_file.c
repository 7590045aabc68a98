/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/snapshot_file.h"

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sys/stat.h>

#include "base/own.h"

#define STATE "state"

/* `path` itself, or the folder that it is in. */
static int open_folder(const char *path, bool is_folder, struct verr *e)
{
	char copy[PATH_MAX];
	int fd;

	(void)snprintf(copy, sizeof(copy), "%s", path);
	fd = open(is_folder ? path : dirname(copy), O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? verr_invalid_os(e, "open %s", path) : fd;
}

int snapshot_file_open(const char *path, struct state_reader **out, int *folder, struct verr *e)
{
	struct stat st;
	auto_fd where = -1, fd = -1;
	bool is_folder;

	if (stat(path, &st) < 0)
		return verr_invalid_os(e, "open %s", path);
	is_folder = S_ISDIR(st.st_mode);
	where = open_folder(path, is_folder, e);
	if (where < 0)
		return -1;
	fd = is_folder ? openat(where, STATE, O_RDONLY | O_CLOEXEC)
		       : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return verr_invalid_os(e, "open %s%s", path, is_folder ? "/" STATE : "");
	if (state_reader_load(fd, out, e) < 0)
		return verr_note(e, "%s", path);
	if (folder != NULL)
		*folder = fd_take(&where);
	return 0;
}
