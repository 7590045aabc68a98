/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/device.h"

#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "rootfs/volt-init/folder.h"
#include "rootfs/volt-init/superblock.h"

#define BLOCKS "/sys/class/block"

/* How often to look where nothing tells of a new node: a kernel without inotify, a node below a
 * folder of /dev, a disk that gets its medium later. */
#define LOOK_MS 50

static bool is_disk(const char *path)
{
	struct stat here;

	return stat(path, &here) == 0 && S_ISBLK(here.st_mode);
}

static bool matches(const char *path, const char *uuid, const char *label)
{
	struct superblock found;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return false;
	bool known = superblock_read(fd, &found);
	close(fd);
	if (!known)
		return false;
	return uuid ? strcasecmp(found.uuid, uuid) == 0 : strcmp(found.label, label) == 0;
}

static enum device_result search(const char *uuid, const char *label, char *path)
{
	enum device_result result = DEVICE_ABSENT;
	struct folder folder;
	const char *name;

	/* Nothing has no name: it would be found on the first disk without one. */
	if ((uuid ? uuid : label)[0] == '\0' || !folder_open(&folder, AT_FDCWD, BLOCKS))
		return DEVICE_ABSENT;
	while (result == DEVICE_ABSENT && (name = folder_next(&folder))) {
		(void)snprintf(path, DEVICE_PATH, "/dev/%s", name);
		/* The kernel writes "/" as "!" where it must be one name. */
		for (char *at = path; (at = strchr(at, '!'));)
			*at = '/';
		if (matches(path, uuid, label))
			result = DEVICE_FOUND;
	}
	folder_close(&folder);
	return result;
}

enum device_result device_find(const char *spec, char path[DEVICE_PATH])
{
	if (strncmp(spec, "UUID=", 5) == 0)
		return search(spec + 5, NULL, path);
	if (strncmp(spec, "LABEL=", 6) == 0)
		return search(NULL, spec + 6, path);
	if (strncmp(spec, "/dev/", 5) != 0 || strlen(spec) >= DEVICE_PATH)
		return DEVICE_UNKNOWN;
	(void)snprintf(path, DEVICE_PATH, "%s", spec);
	return is_disk(path) ? DEVICE_FOUND : DEVICE_ABSENT;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Returns when something has changed in /dev, or after a while. */
static void wait_for_change(int watch)
{
	char events[512];
	struct pollfd ready = {.fd = watch, .events = POLLIN};

	if (poll(&ready, 1, LOOK_MS) > 0 && read(watch, events, sizeof(events)) < 0) {
		/* Then the next look comes a little early. */
	}
}

enum device_result device_wait(const char *spec, char path[DEVICE_PATH], int milliseconds)
{
	enum device_result result = device_find(spec, path);
	int64_t end = now_ms() + milliseconds;

	if (result != DEVICE_ABSENT)
		return result;
	int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch >= 0)
		(void)inotify_add_watch(watch, "/dev", IN_CREATE);
	while ((result = device_find(spec, path)) == DEVICE_ABSENT && now_ms() < end)
		wait_for_change(watch);
	if (watch >= 0)
		close(watch);
	return result;
}
