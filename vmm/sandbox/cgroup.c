/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cgroup of version 2 with limits, in a subtree that is this user's (delegated, as systemd calls
 * it). Joined before the guest's memory exists, which belongs to whom it is taken by.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/own.h"
#include "vmm/sandbox/layers.h"

#define NO_DELEGATION                                                                   \
	"expected a subtree that is this user's, as of: systemd-run --user --scope -p " \
	"Delegate=yes"

static const char *find_mount(void)
{
	static const char *const places[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
	struct statfs fs;

	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (statfs(places[i], &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC)
			return places[i];
	return NULL;
}

/* The line "0::/PATH" of /proc/self/cgroup. */
static bool own_path(char *out, size_t size)
{
	auto_fclose *file = fopen("/proc/self/cgroup", "re");
	char line[PATH_MAX + 8];

	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, "0::/", 4) == 0) {
			line[strcspn(line, "\n")] = '\0';
			return (size_t)snprintf(out, size, "%s", line + 3) < size;
		}
	return false;
}

static int write_file(int folder, const char *name, const char *text)
{
	auto_fd fd = openat(folder, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 || write(fd, text, strlen(text)) < 0 ? -1 : 0;
}

/* Hand down the controllers that limits need, as far as there are such; set_limits() says what is
 * missing. */
static void hand_down(int folder, const struct config *c)
{
	const struct {
		bool wanted;
		const char *text;
	} controllers[] = {{c->cpu_quota != 0, "+cpu"},
			   {c->memory_max != 0, "+memory"},
			   {c->pids_max != 0, "+pids"},
			   {c->io_max != NULL, "+io"}};

	for (size_t i = 0; i < ARRAY_LEN(controllers); i++)
		if (controllers[i].wanted)
			(void)write_file(folder, "cgroup.subtree_control", controllers[i].text);
}

/* Below `mount`, component by component: no link leads out of it. */
static int open_folder(const char *mount, const char *path, const struct config *c, struct verr *e)
{
	auto_fd at = open(mount, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char name[NAME_MAX + 1];

	while (at >= 0 && *path != '\0') {
		size_t n = strcspn(path, "/");
		int next;

		if (n == 0) {
			path++;
			continue;
		}
		(void)snprintf(name, sizeof(name), "%.*s", (int)n, path);
		path += n;
		hand_down(at, c);
		if (mkdirat(at, name, 0755) < 0 && errno != EEXIST)
			return verr_invalid_os(e, "cannot make the cgroup %s; " NO_DELEGATION,
					       name);
		next = openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		fd_close(&at);
		at = next;
	}
	return at < 0 ? verr_invalid_os(e, "cannot open the cgroup") : fd_take(&at);
}

static int set_limit(int folder, const char *flag, const char *controller, const char *file,
		     const char *value, struct verr *e)
{
	char enable[32];

	(void)snprintf(enable, sizeof(enable), "+%s", controller);
	if (faccessat(folder, file, W_OK, 0) < 0)
		(void)write_file(folder, "../cgroup.subtree_control", enable);
	if (write_file(folder, file, value) == 0)
		return 0;
	if (errno == ENOENT)
		return verr_invalid(
			e,
			"%s: the cgroup has no controller \"%s\": that above it does not "
			"hand it down, or has processes of its own; " NO_DELEGATION,
			flag, controller);
	return verr_invalid_os(e, "%s %s", flag, value);
}

static int set_limits(int folder, const struct config *c, struct verr *e)
{
	char value[256], *comma = value;

	/* Periods of 100 ms; 100 percent are all of one CPU. */
	(void)snprintf(value, sizeof(value), "%u 100000", c->cpu_quota * 1000);
	if (c->cpu_quota != 0 && set_limit(folder, "--cpu-quota", "cpu", "cpu.max", value, e) < 0)
		return -1;
	(void)snprintf(value, sizeof(value), "%llu", (unsigned long long)c->memory_max);
	if (c->memory_max != 0 &&
	    set_limit(folder, "--memory-max", "memory", "memory.max", value, e) < 0)
		return -1;
	(void)snprintf(value, sizeof(value), "%u", c->pids_max);
	if (c->pids_max != 0 && set_limit(folder, "--pids-max", "pids", "pids.max", value, e) < 0)
		return -1;
	if (c->io_max == NULL)
		return 0;
	(void)snprintf(value, sizeof(value), "%s", c->io_max);
	while ((comma = strchr(comma, ',')) != NULL)
		*comma = ' ';
	return set_limit(folder, "--io-max", "io", "io.max", value, e);
}

/* The first time, for once joined it is another: a start that failed may be tried again. */
static int remember_own_path(struct sandbox *s, struct verr *e)
{
	char own[PATH_MAX];

	if (s->own_cgroup != NULL)
		return 0;
	s->own_cgroup = strdup(own_path(own, sizeof(own)) ? own : "");
	return s->own_cgroup == NULL ? verr_host(e, "out of memory") : 0;
}

int cgroup_join(struct sandbox *s, struct verr *e)
{
	const struct config *c = s->config;
	const char *mount = find_mount();
	bool absolute = *c->cgroup == '/';
	char path[PATH_MAX];
	auto_fd folder = -1;

	if (mount == NULL)
		return verr_invalid(e, "--cgroup: no cgroup v2 is mounted at /sys/fs/cgroup");
	if (remember_own_path(s, e) < 0)
		return -1;
	if (!absolute && *s->own_cgroup == '\0')
		return verr_invalid(e, "--cgroup: this process is in no v2 cgroup; expected a path "
				       "from /");
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", absolute ? "" : s->own_cgroup,
			     c->cgroup) >= sizeof(path))
		return verr_invalid(e, "--cgroup: the path is too long");
	folder = open_folder(mount, path, c, e);
	/* Joined first: only a cgroup without processes hands its controllers down. */
	if (folder >= 0 && write_file(folder, "cgroup.procs", "0") < 0)
		(void)verr_invalid_os(e, "cannot join the cgroup; " NO_DELEGATION);
	else if (folder >= 0 && set_limits(folder, c, e) == 0)
		return 0;
	return verr_note(e, "--cgroup %s", c->cgroup);
}
